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

from release import BINARY, ROOT, SYSTEM, VERSION, Needs, needs, script  # noqa: F401 (Needs is a test)


TARGETS = [f"{processor}-{system}" for processor in ("x86_64", "aarch64")
           for system in ("unknown-linux-musl", "apple-darwin", "pc-windows-msvc")]


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

    def checkout(self, *paths: str):
        """A checkout with these files alone."""
        for path in ("Cargo.toml", *paths):
            (self.folder / path).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / path, self.folder / path)

    def run_script(self, file, *words, **variables):
        variables = {**os.environ, "PATH": f"{self.tools}:{os.environ['PATH']}", **variables}
        return subprocess.run([file, *words], env=variables, text=True, capture_output=True)


on_linux = unittest.skipUnless(SYSTEM == "unknown-linux-musl", "only for Linux")


@on_linux
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
        self.assertRegex(said.stderr, r"corti-auth is 12\d{6} bytes, more than 12000000\n  hint: a new dependency\? git log")


@on_linux
class Packages(Scripts):
    """scripts/package is a fake here, which makes archives of a size."""

    def packages(self, size: int):
        self.checkout("scripts/release", "install.sh", "install.ps1")
        (self.folder / "target").mkdir()
        for target in TARGETS:
            (self.folder / "programs" / target).mkdir(parents=True)
            (self.folder / "programs" / target / "corti-auth").write_text("")
        fake = self.folder / "scripts/package"
        fake.write_bytes(script(f"""[ $1 = archive ] || exit 0
case $4 in *windows*) ending=zip ;; *) ending=tar.gz ;; esac
head -c {size} /dev/zero > "$2/corti-auth-{VERSION}-$4.$ending\""""))
        fake.chmod(0o755)
        self.fake("uname", "echo x86_64")
        out = self.folder / "out"
        said = self.run_script(self.folder / "scripts/release", "packages", self.folder / "programs", out,
                               REPOSITORY_URL="https://git.test/acme/corti-auth")
        return said, out

    def test_sums(self):
        said, out = self.packages(5_000_000)
        self.assertEqual((said.returncode, said.stderr), (0, ""))
        listed = [line.split("  ")[1] for line in (out / "SHA256SUMS").read_text().splitlines()]
        archives = [f"corti-auth-{VERSION}-{target}.{'zip' if 'windows' in target else 'tar.gz'}" for target in TARGETS]
        self.assertEqual(sorted(listed), sorted([*archives, "install.ps1", "install.sh"]))
        self.assertEqual(sorted(os.listdir(out)), sorted([*listed, "SHA256SUMS"]))
        subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=out, check=True)

    def test_too_large(self):
        said, out = self.packages(5_000_001)
        self.assertEqual(said.returncode, 2)
        self.assertIn(".tar.gz is 5000001 bytes, more than 5000000\n", said.stderr)
        self.assertFalse((out / "SHA256SUMS").exists())


@on_linux
@needs("zip")
class Archives(Scripts):
    """The archives that scripts/package makes, of a stand-in instead of each program."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        checkout, cls.out = pathlib.Path(folder.name, "checkout"), pathlib.Path(folder.name, "out")
        for path in ("scripts/package", "Cargo.toml", "Cargo.lock", "README.md", "LICENSE"):
            (checkout / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, checkout / path)
        for path in ("completions", "packaging"):
            shutil.copytree(ROOT / path, checkout / path)
        # Newer than Cargo.lock, so cargo-about is not asked to make it.
        (checkout / "target/package").mkdir(parents=True)
        (checkout / "target/package/THIRD-PARTY.md").write_text("licences\n")
        (checkout / "stand-in").write_text("a program\n")
        for target in TARGETS:
            subprocess.run([checkout / "scripts/package", "archive", cls.out, "--target", target, "--binary", checkout / "stand-in",
                            "--native", BINARY], check=True, env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"})

    def names(self, archive: pathlib.Path) -> list[str]:
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as file:
                return file.namelist()
        with tarfile.open(archive) as file:
            return file.getnames()

    def test_binstall_finds_them(self):
        """cargo-binstall expands these templates for the machine's target, and tries each suffix of a format."""
        said = subprocess.run(["cargo", "metadata", "--no-deps", "--format-version", "1"], cwd=ROOT, check=True, capture_output=True)
        rules = json.loads(said.stdout)["packages"][0]["metadata"]["binstall"]
        suffixes = {"tgz": (".tgz", ".tar.gz"), "zip": (".zip",)}
        for target in TARGETS:
            with self.subTest(target=target):
                mine = {**rules, **rules["overrides"].get(target, {})}
                words = {"repo": "https://git.test/acme/corti-auth", "name": "corti-auth", "bin": "corti-auth", "version": VERSION,
                         "target": target, "binary-ext": ".exe" if "windows" in target else ""}

                def fill(template, **more):
                    return re.sub(r"\{ ([\w-]+) \}", lambda it: {**words, **more}[it[1]], template)

                urls = [fill(mine["pkg-url"], **{"archive-suffix": it}) for it in suffixes[mine["pkg-fmt"]]]
                begin = f"https://git.test/acme/corti-auth/releases/download/v{VERSION}/"
                found = [self.out / url.removeprefix(begin) for url in urls if (self.out / url.removeprefix(begin)).exists()]
                self.assertEqual(len(found), 1, urls)
                self.assertIn(fill(mine["bin-dir"]), self.names(found[0]))


class Publish(Scripts):
    def publish(self, changes: str, tag=f"v{VERSION}", built="abc123"):
        """What gh is asked for."""
        self.checkout("scripts/release")
        (self.folder / "CHANGELOG.md").write_text(f"# Changelog\n\n## [Unreleased]\n\n- later\n\n{changes}## [0.0.1]\n\n- first\n")
        (self.folder / "out").mkdir()
        (self.folder / "out/SHA256SUMS").write_text("")
        answer = f'[ "$*" = "api repos/acme/corti-auth/commits/tags/v{VERSION} --jq .sha" ] && echo abc123'
        self.fake("gh", f'if [ $1 = api ]; then {answer}; else printf "%s\\n" "$@" > {self.folder}/asked; fi')
        said = self.run_script(self.folder / "scripts/release", "publish", self.folder / "out", GITHUB_REF_NAME=tag,
                               GITHUB_SHA=built, GITHUB_REPOSITORY="acme/corti-auth")
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

    def test_a_tag_that_was_moved(self):
        said, asked = self.publish("", built="def456")
        self.assertEqual((said.returncode, asked), (2, None))
        self.assertIn(f"the tag v{VERSION} names abc123 now, and def456 was built\n  hint: ", said.stderr)
