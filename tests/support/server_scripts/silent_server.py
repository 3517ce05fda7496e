"""Accepts connections and never says a word. Prints its port; ends when stdin closes."""

import socket
import sys
import threading

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
threading.Thread(target=lambda: (sys.stdin.read(), listener.shutdown(socket.SHUT_RDWR)), daemon=True).start()
connections = []
try:
    while True:
        connections.append(listener.accept())
except OSError:
    pass
