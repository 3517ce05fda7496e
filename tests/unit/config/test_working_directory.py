from __future__ import annotations

from mountnd.config.working_directory import absolute_paths


def test_relative_paths_mean_the_callers_directory() -> None:
    environ = {
        "AWS_CONFIG_FILE": "aws/config",
        "AWS_SHARED_CREDENTIALS_FILE": "./credentials",
        "AWS_CA_BUNDLE": "/etc/ca.pem",
        "SSL_CERT_FILE": "",
        "SSL_CERT_DIR": "certs:/etc/certs",
        "PATH": "/usr/bin:bin:",
        "GOOGLE_APPLICATION_CREDENTIALS": "~/keys.json",
        "UNRELATED": "relative",
    }
    assert absolute_paths(environ, "/home/me") == {
        "AWS_CONFIG_FILE": "/home/me/aws/config",
        "AWS_SHARED_CREDENTIALS_FILE": "/home/me/./credentials",
        "SSL_CERT_DIR": "/home/me/certs:/etc/certs",
        "PATH": "/usr/bin:/home/me/bin:",
    }
