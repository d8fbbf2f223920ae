"""Servers that do the same work, beside sharp and nginx's image_filter, which harness.py has."""

import json
import subprocess

from harness import BENCH, QUALITY, Server, free_port, install_npm


class Ipx(Server):
    """ipx.mjs over the files of a folder."""

    def __init__(self, home, folder):
        port = free_port()
        environment = {"PEER_HOME": str(home), "PEER_QUALITY": json.dumps(QUALITY)}
        super().__init__(["node", str(BENCH / "ipx.mjs"), str(folder), str(port)], port, environment,
                         log=subprocess.DEVNULL)
        self.wait_ready()


class Pillow(Server):
    """pillow.py over the files of a folder, a process a core."""

    def __init__(self, folder):
        port = free_port()
        super().__init__(["/usr/bin/python3", "-B", str(BENCH / "pillow.py"), str(folder), str(port), json.dumps(QUALITY)],
                         port, log=subprocess.DEVNULL)
        self.wait_ready()

    def pids(self):
        return self.children()


def install_ipx(scratch):
    return install_npm(scratch, "ipx", ("latest", "3", "2"))
