"""scripts/release, the archives of scripts/package, and what Cargo.toml tells `cargo binstall` of them."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile
import unittest
import zipfile

from release import BINARY, ROOT, VERSION, needs, script


class Scripts(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.tools = self.folder / "tools"
        self.tools.mkdir()

    def fake(self, name: str, text: str):
        (self.tools / name).write_bytes(script(text))
        (self.tools / name).chmod(0o755)

    def run_script(self, file, *words, **variables):
        variables = {**os.environ, "PATH": f"{self.tools}:{os.environ['PATH']}", **variables}
        return subprocess.run([file, *words], env=variables, text=True, capture_output=True)


@needs("cc", "readelf")
class Build(Scripts):
    """cargo is a fake here, which has the program in `made` already."""

    def build(self, target, *options, zeros=0):
        made = self.folder / "made"
        source = "void _start(void) {}" if "-nostdlib" in options else "#include <stdio.h>\nint main(void) { return puts(\"\"); }"
        subprocess.run(["cc", *options, "-o", made, "-x", "c", "-"], input=source, text=True, check=True)
        with open(made, "ab") as file:
            file.write(bytes(zeros))
        place = f"{self.folder}/target/{target}/dist"
        self.fake("cargo", f"[ $1 = fetch ] || {{ mkdir -p {place} && cp {made} {place}/corti-auth; }}")
        out = self.folder / "out"
        said = self.run_script(ROOT / "scripts/release", "build", target, out, CARGO_TARGET_DIR=f"{self.folder}/target")
        self.assertEqual((out / target / "corti-auth").read_bytes(), made.read_bytes())
        return said

    def test_static(self):
        for options in (["-static"], ["-static-pie", "-fPIE"]):
            said = self.build("x86_64-unknown-linux-musl", "-nostdlib", *options)
            self.assertEqual((said.returncode, said.stderr), (0, ""))

    def test_not_static(self):
        said = self.build("x86_64-unknown-linux-musl")
        self.assertEqual(said.returncode, 2)
        self.assertIn("corti-auth is not static\n  hint: readelf -ldW /", said.stderr)
        self.assertEqual(self.build("x86_64-unknown-linux-gnu").returncode, 0)

    def test_too_large(self):
        said = self.build("aarch64-unknown-linux-musl", "-nostdlib", "-static", zeros=12_000_000)
        self.assertEqual(said.returncode, 2)
        self.assertRegex(said.stderr, r"corti-auth has 12\d{6} bytes, and may have 12000000\n  hint: git log")


class Publish(Scripts):
    def publish(self, changes: str, tag=f"v{VERSION}"):
        """What gh is asked for."""
        (self.folder / "scripts").mkdir()
        shutil.copy(ROOT / "scripts/release", self.folder / "scripts")
        shutil.copy(ROOT / "Cargo.toml", self.folder)
        (self.folder / "CHANGELOG.md").write_text(f"# Changelog\n\n## [Unreleased]\n\n- later\n\n{changes}## [0.0.1]\n\n- first\n")
        (self.folder / "out").mkdir()
        (self.folder / "out/SHA256SUMS").write_text("")
        self.fake("gh", f'printf "%s\\n" "$@" > {self.folder}/asked')
        said = self.run_script(self.folder / "scripts/release", "publish", self.folder / "out", GITHUB_REF_NAME=tag)
        asked = self.folder / "asked"
        return said, asked.read_text() if asked.exists() else None

    def test_notes(self):
        said, asked = self.publish(f"## [{VERSION}] - 2026-11-29\n\n### Added\n\n- this\n\n")
        self.assertEqual((said.returncode, said.stderr), (0, ""))
        self.assertEqual(asked, f"release\ncreate\nv{VERSION}\n--verify-tag\n--title\ncorti-auth {VERSION}\n"
                                f"--notes\n\n### Added\n\n- this\n{self.folder}/out/SHA256SUMS\n")

    def test_without_notes(self):
        _, asked = self.publish("")
        self.assertIn(f"corti-auth {VERSION}\n--generate-notes\n{self.folder}/out/SHA256SUMS\n", asked)

    def test_another_tag(self):
        said, asked = self.publish("", "v9.9.9")
        self.assertEqual((said.returncode, asked), (2, None))
        self.assertIn(f"the tag 'v9.9.9' is not v{VERSION}, the version in Cargo.toml\n  hint: git tag v{VERSION}\n", said.stderr)
