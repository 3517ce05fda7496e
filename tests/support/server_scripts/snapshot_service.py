"""A service of snapshots as OpenNeuro's: GraphQL at /crn/graphql, executed by graphql-core.

Prints two ports: the service's, and that of its control, where PUT sets the world (JSON) and GET gives the log of
requests as JSON. It ends when its stdin closes. The world:

    datasets: dataset -> snapshots in the order they were made: {"tag", "created", "size", "files": [{"filename",
        "urls", "size", "id"}, ...]}
    schema: "new", or "old", in which a snapshot has no size
    fault: {"status", "body", "headers"}: everything is answered so; null: nothing is
    faults: how many requests `fault` is for; null: all
    silence: seconds before an answer
"""

import http.server
import json
import sys
import threading
import time

import graphql

SDL = """
    scalar BigInt
    scalar DateTime
    type Query {
      dataset(id: ID!): Dataset
      snapshot(datasetId: ID!, tag: String!): Snapshot
    }
    type Dataset { id: ID!  created: DateTime  snapshots: [Snapshot] }
    type Snapshot {
      id: ID!  tag: String!  created: DateTime  %s
      files(tree: String, recursive: Boolean): [DatasetFile]
    }
    type DatasetFile { id: ID!  filename: String!  size: BigInt  urls: [String]  directory: Boolean }
"""
SCHEMAS = {"new": graphql.build_schema(SDL % "size: BigInt"), "old": graphql.build_schema(SDL % "")}

world = {}
log = []
lock = threading.Lock()


def reset():
    world.clear()
    world.update(datasets={}, schema="new", fault=None, faults=None, silence=0)


class Snapshot:
    def __init__(self, dataset, said):
        self.id, self.tag, self.created = f"{dataset}:{said['tag']}", said["tag"], said.get("created")
        self.size = said.get("size")
        self._files = said["files"]

    def files(self, info, tree=None, recursive=False):
        return [row for row in self._files if recursive or "/" not in row["filename"]]


class Query:
    def dataset(self, info, id):
        if id not in world["datasets"]:
            raise graphql.GraphQLError("You do not have access to read this dataset.")
        return {"id": id, "snapshots": [Snapshot(id, said) for said in world["datasets"][id]]}

    def snapshot(self, info, datasetId, tag):
        for said in world["datasets"].get(datasetId, ()):
            if said["tag"] == tag:
                return Snapshot(datasetId, said)
        return None


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with lock:
            said = body.decode(errors="replace")
            log.append([self.command, self.path, {n.lower(): v for n, v in self.headers.items()}, said])
            fault = world["fault"]
            if fault is not None and world["faults"] is not None:
                world["faults"] -= 1
                fault = fault if world["faults"] >= 0 else None
        time.sleep(world["silence"])
        if fault is not None:
            return self.say(fault.get("status", 200), fault.get("body", "").encode(), fault.get("headers", {}))
        if self.path != "/crn/graphql":
            return self.say(404, b"no such page")
        result = graphql.graphql_sync(SCHEMAS[world["schema"]], json.loads(body)["query"], Query())
        status = 400 if result.data is None else 200
        return self.say(status, json.dumps(result.formatted).encode())

    def do_GET(self):
        with lock:
            log.append([self.command, self.path, {}, ""])
        self.say(405, b"POST only")

    def say(self, status, body, headers=None):
        self.send_response_only(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Control(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with lock:
            if said.pop("reset", False):
                reset()
            log.clear()
            world.update(said)
        self.say(b"")

    def do_GET(self):
        with lock:
            self.say(json.dumps(log).encode())

    def say(self, body):
        self.send_response_only(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def serve(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # clients that hang up
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


reset()
print(serve(Service), serve(Control), flush=True)
sys.stdin.read()
