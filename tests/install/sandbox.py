"""`corti-auth sandbox`, until the `with` block ends."""

import json
import pathlib
import subprocess
import tempfile
import time

from release import BINARY


class Sandbox:
    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        ready = pathlib.Path(self.folder.name, "ready")
        self.process = subprocess.Popen([BINARY, "sandbox", "--ready-file", ready], stdout=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while not ready.exists():
            assert time.monotonic() < end and self.process.poll() is None, "the sandbox does not start"
            time.sleep(0.05)
        vars(self).update(json.loads(ready.read_text()))
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()

    def variables(self) -> dict[str, str]:
        return {"CORTI_ENVIRONMENT": self.environment, "CORTI_TENANT_NAME": self.tenant,
                "CORTI_CLIENT_ID": self.client_id, "CORTI_CLIENT_SECRET": self.client_secret}
