"""install.sh in the shells that run it, with the programs that it finds, against a release with and without faults."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from release import HOST, ROOT, VERSION, Release, Server, certificate, needs

SCRIPT = ROOT / "install.sh"
ARCHIVE = f"corti-auth-{VERSION}-{HOST}.tar.gz"
SHELLS = [["sh"], ["dash"], ["bash"], ["bash", "--posix"], ["mksh"], ["busybox", "sh"]]
TOOLS = "cat chmod cp cut env grep gzip head mkdir mktemp mv rm rmdir sed sh sysctl tar tr uname"


def setUpModule():
    global release, server
    release = Release()
    server = unittest.enterModuleContext(Server(release))


class Script(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)
        (self.home / "temporary").mkdir()
        self.to = self.home / "bin"
        self.variables = {"HOME": str(self.home), "PATH": os.environ["PATH"], "TMPDIR": str(self.home / "temporary")}
        self.variables["SHELL"] = "/bin/bash"

    def path(self, *tools: str, busybox: bool = False, **programs: str):
        """A PATH with the least that the script needs, these tools besides, and these programs of ours."""
        folder = self.home / "tools"
        folder.mkdir()
        if busybox:
            subprocess.run(["busybox", "--install", "-s", folder], check=True)
        else:
            for tool in (*TOOLS.split(), *tools):
                if found := shutil.which(tool):
                    (folder / tool).symlink_to(found)
        for name, text in programs.items():
            (folder / name).unlink(missing_ok=True)
            (folder / name).write_text(f"#!/bin/sh\n{text}\n")
            (folder / name).chmod(0o755)
        self.variables["PATH"] = str(folder)

    def run_script(self, *options, shell=("sh",), fault="good", repository=None):
        shell = [shutil.which(shell[0]), *shell[1:]]
        words = [*shell, SCRIPT, "--repository", repository or server.repository(fault), *options]
        said = subprocess.run(words, env=self.variables, text=True, capture_output=True, cwd=self.home, timeout=60)
        self.assertEqual(os.listdir(self.home / "temporary"), [], "it leaves something behind")
        return said

    def assert_installed(self, said, place=None):
        self.assertEqual((said.returncode, said.stderr), (0, ""))
        place = place or self.to / "corti-auth"
        self.assertIn(f"installed corti-auth {VERSION}: {place}\n", said.stdout)
        says = subprocess.run([place, "--version"], text=True, capture_output=True).stdout
        self.assertEqual(says, f"corti-auth {VERSION}\n")
        self.assertEqual(os.listdir(place.parent), [place.name])

    def assert_refused(self, said, *parts):
        self.assertEqual(said.returncode, 1, said.stdout + said.stderr)
        self.assertTrue(said.stderr.startswith("error: ") or "\nerror: " in said.stderr, said.stderr)
        for part in parts:
            self.assertIn(part, said.stderr)
        self.assertFalse(self.to.exists() and os.listdir(self.to), "it installs something")


class Shells(Script):
    def each(self):
        for shell in SHELLS:
            if shutil.which(shell[0]):
                with self.subTest(shell=" ".join(shell)):
                    yield shell
                shutil.rmtree(self.to, ignore_errors=True)

    def test_good(self):
        for shell in self.each():
            self.assert_installed(self.run_script("--version", VERSION, "--to", self.to, shell=shell))

    def test_latest(self):
        for shell in self.each():
            self.assert_installed(self.run_script("--to", self.to, shell=shell))

    def test_wrong_sum(self):
        for shell in self.each():
            said = self.run_script("--to", self.to, shell=shell, fault="wrong-sum")
            self.assert_refused(said, f"error: the checksum of {ARCHIVE} is wrong: expected ", ", found ", "hint: try again;")

    def test_cut_off(self):
        for shell in self.each():
            said = self.run_script("--to", self.to, shell=shell, fault="cut")
            self.assert_refused(said, f"{ARCHIVE} was cut off\nhint: try again\n")

    def test_missing_platform(self):
        for shell in self.each():
            said = self.run_script("--to", self.to, shell=shell, fault="missing")
            self.assert_refused(said, f"lists no archive for {HOST}\nhint: releases: ", "hint: with Rust")

    def test_script_cut_off(self):
        """Half a script does nothing."""
        whole = SCRIPT.read_text()
        half = self.home / "half.sh"
        for shell in self.each():
            for end in (len(whole) // 3, len(whole) // 2, len(whole) - len('main "$@"\n')):
                half.write_text(whole[:end])
                before = len(server.asked)
                words = [shutil.which(shell[0]), *shell[1:], half, "--repository", server.repository()]
                subprocess.run(words, env=self.variables, capture_output=True)
                self.assertEqual(len(server.asked), before)
                self.assertFalse((self.home / ".local").exists())


class Downloads(Script):
    def test_curl_alone(self):
        self.path("curl", "sha256sum")
        self.assert_installed(self.run_script("--to", self.to))

    @needs("wget")
    def test_wget_alone(self):
        self.path("wget", "sha256sum")
        self.assert_installed(self.run_script("--to", self.to))

    @needs("busybox")
    def test_wget_of_busybox(self):
        self.path(busybox=True)
        self.assert_installed(self.run_script("--to", self.to, shell=("busybox", "sh")))

    def test_neither(self):
        self.path("sha256sum")
        self.assert_refused(self.run_script("--to", self.to), "neither curl nor wget is installed\nhint: install one")

    @needs("wget")
    def test_wget_faults(self):
        self.path("wget", "sha256sum")
        self.faults()

    @needs("busybox")
    def test_faults_with_wget_of_busybox(self):
        self.path(busybox=True)
        self.faults()

    def faults(self):
        self.assert_refused(self.run_script("--to", self.to, fault="wrong-sum"), "the checksum of ")
        self.assert_refused(self.run_script("--to", self.to, fault="cut"), "cut off")
        self.assert_refused(self.run_script("--to", self.to, fault="gone"), f"{ARCHIVE} does not exist (404)\nhint: ")

    def test_stalled_download_has_a_deadline(self):
        """The deadline of 30 s is made 1 s, and there is no second attempt."""
        shorter = """for it; do
  case $it in 30 | --tries=3) it=${it%3*}1 ;; 2) it=0 ;; esac
  set -- "$@" "$it" && shift
done
exec """
        for program in ("curl", "wget"):
            if not shutil.which(program):
                continue
            with self.subTest(program=program):
                self.path("sha256sum", **{program: f'{shorter}{shutil.which(program)} "$@"'})
                said = self.run_script("--to", self.to, fault="stall")
                self.assert_refused(said, f"cannot download {server.repository('stall')}")
                self.assertNotIn(f"{ARCHIVE}: \n", said.stderr, "it does not say why")
            shutil.rmtree(self.home / "tools")

    def test_endless_download_has_an_end(self):
        for program in ("curl", "wget"):
            with self.subTest(program=program):
                self.path(program, "sha256sum")
                said = self.run_script("--to", self.to, fault="endless")
                self.assert_refused(said, ARCHIVE, "is larger than 32 MB" if program == "curl" else "File too large")
            shutil.rmtree(self.home / "tools")

    def test_slow_download_has_a_deadline(self):
        """The deadline of 10 minutes is made 1 s."""
        shorter = 'for it; do [ "$it" != 600 ] || it=1; set -- "$@" "$it" && shift; done\nexec '
        for program, limiter in (("curl", "curl"), ("wget", "timeout")):
            with self.subTest(program=program):
                self.path("sha256sum", program, **{limiter: f'{shorter}{shutil.which(limiter)} "$@"'})
                said = self.run_script("--to", self.to, fault="drip")
                self.assert_refused(said, f"cannot download {server.repository('drip')}")
                self.assertNotIn(f"{ARCHIVE}: \n", said.stderr, "it does not say why")
            shutil.rmtree(self.home / "tools")

    def test_a_signal_ends_a_download(self):
        for shell in SHELLS:
            if not shutil.which(shell[0]):
                continue
            with self.subTest(shell=shell), Server(release) as own:
                words = [*shell, SCRIPT, "--to", self.to, "--repository", own.repository("stall")]
                running = subprocess.Popen(words, env=self.variables, stdout=subprocess.DEVNULL)
                self.addCleanup(running.kill)
                while not own.asked or not own.asked[-1].endswith(ARCHIVE):
                    self.assertIsNone(running.poll())
                running.terminate()
                self.assertEqual(running.wait(20), 143)
                self.assertTrue(own.left.wait(20), "the download goes on")
                self.assertEqual(os.listdir(self.home / "temporary"), [])

    def test_no_such_version(self):
        said = self.run_script("--to", self.to, "--version", "7.7.7")
        self.assert_refused(said, "v7.7.7/SHA256SUMS does not exist (404)\nhint: releases: ")

    def test_nobody_answers(self):
        said = self.run_script("--to", self.to, repository="http://127.0.0.1:9/x/corti-auth")
        self.assert_refused(said, "cannot download http://127.0.0.1:9/x/corti-auth/releases/latest/download/SHA256SUMS: ")

    def test_other_programs_for_the_sum(self):
        for tool in ("shasum", "openssl"):
            if not shutil.which(tool):
                continue
            with self.subTest(tool=tool):
                self.path("curl", "perl", tool)
                self.assert_installed(self.run_script("--to", self.to))
                self.assert_refused_elsewhere()
            shutil.rmtree(self.home / "tools", ignore_errors=True)
            shutil.rmtree(self.to, ignore_errors=True)

    def assert_refused_elsewhere(self):
        shutil.rmtree(self.to)
        self.assert_refused(self.run_script("--to", self.to, fault="wrong-sum"), "the checksum of ")

    def test_nothing_for_the_sum(self):
        self.path("curl")
        before = len(server.asked)
        self.assert_refused(self.run_script("--to", self.to), "no program here computes SHA-256 checksums\nhint: install")
        self.assertEqual(len(server.asked), before)

    def test_cache(self):
        cache = self.home / "cache"
        options = ("--to", self.to, "--cache", cache)
        self.assert_installed(self.run_script(*options))
        before = len(server.asked)
        said = self.run_script(*options)
        self.assert_installed(said)
        self.assertIn("taken from", said.stdout)
        self.assertEqual([path.split("/")[-1] for path in server.asked[before:]], ["SHA256SUMS"])
        # What somebody changed in the cache is not used.
        (cache / ARCHIVE).write_bytes(b"something else")
        said = self.run_script(*options)
        self.assert_installed(said)
        self.assertNotIn("taken from", said.stdout)

    def test_links_and_pipes_in_a_cache(self):
        cache, outside = self.home / "cache", self.home / "outside"
        cache.mkdir()
        for kind in ("link", "link to a folder", "pipe", "folder"):
            with self.subTest(kind=kind):
                if kind == "pipe":
                    os.mkfifo(cache / ARCHIVE)
                elif kind == "folder":
                    (cache / ARCHIVE).mkdir()
                else:
                    (outside.mkdir if "folder" in kind else outside.touch)()
                    (cache / ARCHIVE).symlink_to(outside)
                said = self.run_script("--to", self.to, "--cache", cache)
                self.assertIn("installed corti-auth", said.stdout)
                self.assertEqual(os.listdir(cache), [ARCHIVE])
                if kind == "folder":
                    self.assertIn("cannot keep the archive", said.stderr)
                    self.assertEqual(os.listdir(cache / ARCHIVE), [])
                    continue
                self.assertTrue((cache / ARCHIVE).is_file() and not (cache / ARCHIVE).is_symlink())
                if kind == "link":
                    self.assertEqual(outside.read_text(), "")
                    outside.unlink()
                elif "folder" in kind:
                    self.assertEqual(os.listdir(outside), [])
                (cache / ARCHIVE).unlink()

    def test_a_cache_that_cannot_be_written_is_a_warning(self):
        (self.home / "file").write_text("")
        said = self.run_script("--to", self.to, "--cache", self.home / "file/cache")
        self.assertEqual((said.returncode, said.stderr), (0, f"warning: cannot keep the archive in {self.home}/file/cache\n"))
        self.assertIn("installed corti-auth", said.stdout)


class Https(Script):
    def setUp(self):
        super().setUp()
        self.certificate = certificate(self.home)
        self.https = Server(release, self.certificate, server.base).__enter__()
        self.addCleanup(self.https.__exit__)

    def trust(self):
        self.variables["CURL_CA_BUNDLE"] = str(self.certificate)
        (self.home / ".wgetrc").write_text(f"ca_certificate={self.certificate}\n")

    def test_trusted(self):
        self.trust()
        self.assert_installed(self.run_script("--to", self.to, repository=self.https.repository()))

    def test_the_script_of_a_release(self):
        """What scripts/release publishes knows its repository and version."""
        self.trust()
        url = self.https.repository()
        subprocess.run([ROOT / "scripts/release", "installers", self.home / "release"], check=True,
                       env={**os.environ, "REPOSITORY_URL": url})
        before = len(self.https.asked)
        said = subprocess.run(["sh", self.home / "release/install.sh"], env=self.variables, text=True, capture_output=True)
        self.assert_installed(said, self.home / ".local/bin/corti-auth")
        self.assertIn(f"/v{VERSION}/", self.https.asked[before])
        powershell = (self.home / "release/install.ps1").read_text()
        self.assertIn(f"[string]$Repository = '{url}',\n    [string]$Version = '{VERSION}',", powershell)

    @needs("wget")
    def test_trusted_by_wget(self):
        self.trust()
        self.path("wget", "sha256sum")
        self.assert_installed(self.run_script("--to", self.to, repository=self.https.repository()))

    def test_not_trusted(self):
        self.assert_refused(self.run_script("--to", self.to, repository=self.https.repository()), "certificate")

    @needs("wget")
    def test_not_trusted_by_wget(self):
        self.path("wget", "sha256sum")
        self.assert_refused(self.run_script("--to", self.to, repository=self.https.repository()), "cannot download ")

    @needs("busybox")
    def test_wget_of_busybox_checks_no_certificate(self):
        self.path(busybox=True)
        said = self.run_script("--to", self.to, repository=self.https.repository())
        self.assert_refused(said, "this wget (BusyBox) checks no certificates\nhint: install curl or GNU wget")

    def test_redirect_to_plain_http(self):
        self.trust()
        before = len(server.asked)
        self.assert_refused(self.run_script("--to", self.to, repository=self.https.repository("plain")), "cannot download")
        self.assertEqual(len(server.asked), before)

    @needs("wget")
    def test_redirect_to_plain_http_by_wget(self):
        self.trust()
        self.path("wget", "sha256sum")
        for fault in ("plain", "ftp"):
            with self.subTest(fault=fault):
                said = self.run_script("--to", self.to, repository=self.https.repository(fault))
                self.assert_refused(said, "redirects to an address without https\nhint: install curl")


class Platforms(Script):
    def uname(self, system: str, processor: str, **programs):
        self.path("curl", "sha256sum", "unzip", uname=f"[ $1 = -s ] && echo {system} || echo {processor}", **programs)

    def test_each(self):
        cases = [
            ("Darwin", "arm64", "0", "aarch64-apple-darwin.tar.gz"),
            ("Darwin", "x86_64", "0", "x86_64-apple-darwin.tar.gz"),
            ("Darwin", "x86_64", "1", "aarch64-apple-darwin.tar.gz"),
            ("MINGW64_NT-10.0-20348", "x86_64", "", "x86_64-pc-windows-msvc.zip"),
            ("MINGW64_NT-10.0-26100-ARM64", "x86_64", "", "aarch64-pc-windows-msvc.zip"),
        ]
        for system, processor, rosetta, archive in cases:
            with self.subTest(system=system, processor=processor, rosetta=rosetta):
                self.uname(system, processor, sysctl=f"echo {rosetta}")
                said = self.run_script("--to", self.to)
                suffix = ".exe" if archive.endswith("zip") else ""
                self.assert_installed(said, self.to / f"corti-auth{suffix}")
                self.assertTrue(server.asked[-1].endswith(archive), server.asked[-1])
            shutil.rmtree(self.home / "tools")
            shutil.rmtree(self.to, ignore_errors=True)

    def test_bash_of_macos_reads_another_file(self):
        self.uname("Darwin", "arm64", sysctl="echo 0")
        said = self.run_script("--to", self.to)
        self.assertIn(f"  echo 'export PATH=\"{self.to}:$PATH\"' >> ~/.bash_profile\n", said.stdout)

    def test_unknown(self):
        for system, processor in (("Linux", "riscv64"), ("FreeBSD", "amd64"), ("Linux", "armv7l")):
            with self.subTest(system=system, processor=processor):
                self.uname(system, processor)
                said = self.run_script("--to", self.to)
                self.assert_refused(said, f"no build of corti-auth for {system} ", "hint: with Rust")
            shutil.rmtree(self.home / "tools")


class Provenance(Script):
    """gh has the say about what comes from GitHub, which is the server here by a curl that takes it for that."""

    def gh(self, code: int, knows: str = "--source-ref", **programs):
        curl = f"""while [ $# -gt 1 ]; do if [ "$1" = --output ]; then file=$2; fi; shift; done
exec {shutil.which("curl")} -fsS --noproxy '*' -o "$file" "{server.base}${{1#https://github.com}}\""""
        gh = f"""echo "$GH_HOST $*" >> {self.home}/asked
case $* in *--help*) echo "{knows}" ;; *) echo "gh says so"; exit {code} ;; esac"""
        self.path("sha256sum", curl=curl, **{"gh": gh, **programs})

    def run_script(self, *options, **others):
        return super().run_script("--to", self.to, *options, repository="https://github.com/good/corti-auth", **others)

    def test_verified(self):
        self.gh(0)
        said = self.run_script("--provenance", "require")
        self.assert_installed(said)
        self.assertIn(f"provenance verified: built by the release workflow of good/corti-auth for v{VERSION}\n", said.stdout)
        asked = (self.home / "asked").read_text().splitlines()[-1]
        self.assertTrue(asked.startswith("github.com attestation verify /"), asked)
        end = f"/{ARCHIVE} --repo good/corti-auth --source-ref refs/tags/v{VERSION} --signer-workflow good/corti-auth/.github/workflows/release.yml"
        self.assertTrue(asked.endswith(end), asked)

    def test_refused(self):
        self.gh(1)
        said = self.run_script()
        self.assert_refused(said, "gh says so", f"error: gh cannot verify who built {ARCHIVE}\nhint: ")
        said = self.run_script("--provenance", "skip")
        self.assert_installed(said)
        self.assertIn("warning: provenance not verified: you chose skip\n", said.stdout)

    def test_unknown(self):
        for why, code, knows in (("gh is not logged in", 4, "--source-ref"), ("this gh is older than 2.68", 1, "--signer-workflow")):
            with self.subTest(why=why):
                self.gh(code, knows)
                self.assert_refused(self.run_script("--provenance", "require"), "cannot verify who built", why)
                said = self.run_script()
                self.assert_installed(said)
                self.assertIn(f"checksum ok\nwarning: provenance not verified: {why}", said.stdout)
            shutil.rmtree(self.home / "tools")
            shutil.rmtree(self.to)

    def test_without_gh(self):
        self.gh(0)
        (self.home / "tools/gh").unlink()
        said = self.run_script()
        self.assert_installed(said)
        self.assertIn("warning: provenance not verified: gh is not installed\n", said.stdout)

    def test_elsewhere(self):
        self.path("curl", "sha256sum", gh="echo gh was asked >&2; exit 1")
        said = super().run_script("--to", self.to)
        self.assert_installed(said)
        self.assertIn("warning: provenance not verified: gh works only with GitHub, not with 127.0.0.1:", said.stdout)


class Places(Script):
    def test_default_folder_and_path(self):
        for shell, line in {
            "/bin/bash": "echo 'export PATH=\"FOLDER:$PATH\"' >> ~/.bashrc",
            "/usr/bin/zsh": "echo 'export PATH=\"FOLDER:$PATH\"' >> ~/.zshrc",
            "/usr/bin/fish": "fish_add_path 'FOLDER'",
            "": "echo 'export PATH=\"FOLDER:$PATH\"' >> ~/.profile",
        }.items():
            with self.subTest(shell=shell):
                self.variables["SHELL"] = shell
                said = self.run_script()
                folder = self.home / ".local/bin"
                self.assert_installed(said, folder / "corti-auth")
                self.assertIn(f"is not in PATH. Add it, and open a new terminal:\n  {line.replace('FOLDER', str(folder))}\n", said.stdout)

    def test_the_line_for_path_can_be_pasted(self):
        for name in ("my programs", "fish", "it's \"$HOME\" `id` \\\\ \\n !é"):
            for shell, file in {"bash": ".bashrc", "zsh": ".zshrc", "fish": "", "dash": ".profile"}.items():
                if not shutil.which(shell):
                    continue
                with self.subTest(shell=shell, name=name):
                    self.variables["SHELL"] = f"/bin/{shell}"
                    folder = self.home / shell / name
                    said = self.run_script("--to", folder)
                    line = said.stdout.split("open a new terminal:\n")[1]
                    variables = {**self.variables, "TMPDIR": str(self.home)}
                    subprocess.run([shell, "-c", line], env=variables, check=True)
                    find = f". ~/{file}; command -v corti-auth" if file else "command -v corti-auth"
                    found = subprocess.run([shell, "-c", find], env=variables, text=True, capture_output=True)
                    self.assertEqual(found.stdout, f"{folder}/corti-auth\n", said.stdout + found.stderr)

    def test_in_path_already(self):
        self.variables["PATH"] = f"{self.to}:{self.variables['PATH']}"
        said = self.run_script("--to", self.to)
        self.assertNotIn("PATH", said.stdout)

    def test_another_one_comes_first(self):
        self.path("curl", "sha256sum", **{"corti-auth": "exit"})
        self.variables["PATH"] += f":{self.to}"
        said = self.run_script("--to", self.to)
        self.assertIn(f"another corti-auth comes first in PATH: {self.home}/tools/corti-auth", said.stdout)

    def test_relative_folder_with_a_space(self):
        self.to = self.home / "my programs é"
        self.assert_installed(self.run_script("--to", "my programs é"))

    def test_folders_that_look_like_options(self):
        for name in ("-", "-x", "--help"):
            with self.subTest(name=name):
                self.variables["OLDPWD"] = str(self.home / "temporary")
                self.assert_installed(self.run_script("--to", name, "--cache", "-c"), self.home / name / "corti-auth")
        self.assertEqual(os.listdir(self.home / "-c"), [ARCHIVE])

    def test_folder_with_a_line_break(self):
        self.assert_refused(self.run_script("--to", f"{self.to}\nx"), "has a line break\nhint: ")

    def test_folder_with_a_colon(self):
        said = self.run_script("--to", self.home / "a:b")
        self.assertTrue(said.stdout.endswith(f"{self.home}/a:b cannot be in PATH, because it has a colon. Another folder: sh install.sh --to FOLDER\n"))

    def test_a_folders_name_writes_no_control_characters(self):
        folder = self.home / "\\033[2J"
        for _ in range(2):  # then from the cache
            said = self.run_script("--to", folder / "bin", "--cache", folder, shell=("dash",))
            self.assert_installed(said, folder / "bin/corti-auth")
            self.assertNotIn("\x1b", said.stdout)

    def test_nobody_reads_what_it_says(self):
        for shell in SHELLS:
            if not shutil.which(shell[0]):
                continue
            with self.subTest(shell=shell):
                reads, writes = os.pipe()
                os.close(reads)
                words = [*shell, SCRIPT, "--to", self.to, "--repository", server.repository()]
                said = subprocess.run(words, env=self.variables, stdout=writes, stderr=subprocess.PIPE)
                os.close(writes)
                self.assertEqual(said.returncode, 141, said.stderr)
                self.assertEqual(os.listdir(self.home / "temporary"), [])

    def test_replaces_a_running_program(self):
        self.to.mkdir()
        shutil.copy(shutil.which("sleep"), self.to / "corti-auth")
        running = subprocess.Popen([self.to / "corti-auth", "60"])
        self.addCleanup(lambda: (running.kill(), running.wait()))
        self.assert_installed(self.run_script("--to", self.to))

    def test_keeps_the_old_one(self):
        self.to.mkdir()
        other = "the archive contains another version: 'corti-auth 9.9.9', not "
        for fault, says in {"broken": "does not run here", "other": other, "cut": "cut off"}.items():
            with self.subTest(fault=fault):
                (self.to / "corti-auth").write_text("old")
                said = self.run_script("--to", self.to, fault=fault)
                self.assertEqual(said.returncode, 1)
                self.assertIn(says, said.stderr)
                self.assertEqual((self.to / "corti-auth").read_text(), "old")
                self.assertEqual(os.listdir(self.to), ["corti-auth"])

    def test_a_folder_of_the_programs_name(self):
        (self.to / "corti-auth").mkdir(parents=True)
        said = self.run_script("--to", self.to)
        self.assertEqual(said.returncode, 1, said.stdout)
        self.assertIn(f"{self.to}/corti-auth is a folder, not a program\nhint: sh install.sh --to FOLDER\n", said.stderr)
        self.assertEqual(os.listdir(self.to / "corti-auth"), [])

    def test_folder_that_cannot_be(self):
        (self.home / "file").write_text("")
        said = self.run_script("--to", self.home / "file/bin")
        self.assert_refused(said, "cannot create", "hint: install into your own folder: sh install.sh --to FOLDER")


class Options(Script):
    def test_repositories(self):
        for repository, says in {
            "http://example.com/a/b": "is not an https:// URL",
            "http://127.0.0.1.example.com/a/b": "is not an https:// URL",
            "http://127.0.0.1:80@example.com/a/b": "must have no user",
            "https://me:secret@example.com/a/b": "must have no user",
            "ftp://example.com/a": "is not an https:// URL",
            "file:///tmp": "is not an https:// URL",
            "-o/tmp/x": "is not an https:// URL",
        }.items():
            with self.subTest(repository=repository):
                said = self.run_script("--to", self.to, repository=repository)
                self.assert_refused(said, says)
                self.assertNotIn("secret", said.stderr)

    def test_without_a_repository(self):
        said = subprocess.run(["sh", SCRIPT], env=self.variables, text=True, capture_output=True)
        self.assert_refused(said, "no repository given\nhint: sh install.sh --repository https://")

    def test_wrong_ones(self):
        for options in (["--version", "1/../2"], ["--version", "*"], ["--nonsense"], ["--to"], ["--provenance", "no"]):
            with self.subTest(options=options):
                before = len(server.asked)
                self.assert_refused(self.run_script(*options))
                self.assertEqual(len(server.asked), before)

    def test_a_wrong_value_cannot_write_lines_or_control_characters(self):
        for option in ("--provenance", "--version", "--repository", "--"):
            with self.subTest(option=option):
                said = self.run_script("--to", self.to, option, "é\n::add-mask::\x1b[2J\r")
                self.assert_refused(said)
                self.assertNotRegex(said.stderr, "[\x00-\x09\x0b-\x1f\x7f]|(?m:^(?!error: |hint: ))(?!$)")

    def test_download_and_install_later(self):
        kept = self.home / "kept"
        said = self.run_script("--to", self.to, "--download", kept)
        self.assertEqual((said.returncode, self.to.exists(), os.listdir(kept)), (0, False, [ARCHIVE]), said.stderr)
        before = len(server.asked)
        self.assert_installed(self.run_script("--to", self.to, "--archive", kept / ARCHIVE))
        self.assertEqual(len(server.asked), before)

    def test_archive_of_something_else(self):
        for name in ("corti-auth-0.1.0-other.tar.gz", ARCHIVE, "x"):
            with self.subTest(name=name):
                if name != ARCHIVE:
                    (self.home / name).touch()
                self.assert_refused(self.run_script("--to", self.to, "--archive", name), f"'{name}' is not an archive of corti-auth for {HOST}")

    def test_version_with_a_v(self):
        self.assert_installed(self.run_script("--to", self.to, "--version", f"v{VERSION}"))

    def test_help(self):
        said = subprocess.run(["sh", SCRIPT, "--help"], text=True, capture_output=True)
        self.assertEqual((said.returncode, said.stderr), (0, ""))
        self.assertTrue(said.stdout.startswith("Install corti-auth from a release\n"))
