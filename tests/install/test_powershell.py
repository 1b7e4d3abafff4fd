"""install.ps1: that it parses, everywhere; that it works, on Windows, in Windows PowerShell and in PowerShell 7."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from release import EXE, HOST, ROOT, VERSION, Release, Server

SCRIPT = ROOT / "install.ps1"


class Parses(unittest.TestCase):
    def test_parses(self):
        import tree_sitter
        import tree_sitter_powershell

        parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
        self.assertFalse(parser.parse(SCRIPT.read_bytes()).root_node.has_error)
        self.assertTrue(parser.parse(b"function x { if (").root_node.has_error)

    def test_the_last_line_calls_it(self):
        *before, last = SCRIPT.read_text().splitlines()
        self.assertEqual(last, "Main $Repository $Version $To $Provenance")
        calls = [line for line in before if line and line[0] not in " }#)" and not line.startswith(("function ", "param("))]
        self.assertEqual([line for line in calls if line[0].islower() or line[0] == "$"], [])


@unittest.skipUnless(EXE, "install.ps1 needs the PowerShell of Windows, which no other system has")
class Works(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.release = Release()
        cls.server = Server(cls.release).__enter__()
        cls.addClassCleanup(cls.server.__exit__)

    def each(self):
        for shell in ("powershell", "pwsh"):
            if not shutil.which(shell):
                continue
            with self.subTest(shell=shell), tempfile.TemporaryDirectory() as folder:
                self.to, self.shell = pathlib.Path(folder, "my programs"), shell
                yield shell

    def run_script(self, *options, fault="good", repository=None, script=SCRIPT):
        words = [self.shell, "-NoProfile", "-ExecutionPolicy", "Bypass", "-File", script, "-To", self.to, "-Provenance", "skip"]
        words += ["-Repository", repository or self.server.repository(fault), *options]
        return subprocess.run(words, text=True, capture_output=True, timeout=120)

    def assert_installed(self, said):
        self.assertEqual(said.returncode, 0, said.stdout + said.stderr)
        says = subprocess.run([self.to / "corti-auth.exe", "--version"], text=True, capture_output=True).stdout
        self.assertEqual(says.strip(), f"corti-auth {VERSION}")

    def assert_refused(self, said, part):
        self.assertEqual(said.returncode, 1, said.stdout + said.stderr)
        self.assertIn("error: ", said.stderr)
        self.assertIn(part, said.stderr)
        self.assertFalse(self.to.exists() and os.listdir(self.to))

    def test_good(self):
        for _ in self.each():
            said = self.run_script()
            self.assert_installed(said)
            self.assertIn("is not in PATH", said.stdout)
            self.assert_installed(self.run_script("-Version", f"v{VERSION}"))

    def test_the_lines_for_path_can_be_pasted(self):
        """They change a key of their own in the registry here."""
        name = "it's \u2018a\u2019 \u201ab\u201b"
        key = r"HKCU:\Software\corti-auth-test"
        for shell in self.each():
            self.to = self.to.parent / name
            # The console's code page may not have these quotes, so the script's output goes to a file.
            out, script = self.to.parent / "out", self.to.parent / "line.ps1"
            script.write_text(f"""
$null = New-Item -Force {key}
$null = New-ItemProperty -Force {key} Path -PropertyType ExpandString -Value '%USERPROFILE%\\x'
$said = & '{SCRIPT}' -Provenance skip -Repository {self.server.repository()} -To '{str(self.to).replace("'", "''")}' 6>&1 | Out-String -Width 9999
$lines = ($said -split 'open a new terminal:')[1].Replace('HKCU:\\Environment', '{key}')
Invoke-Expression $lines
$it = Get-Item {key}
$found = $it.GetValue('Path', '', 'DoNotExpandEnvironmentNames') + '|' + $it.GetValueKind('Path')
Remove-Item {key}
[IO.File]::WriteAllText('{out}', $found)
""".replace("\u2018", "\u2018\u2018").replace("\u2019", "\u2019\u2019").replace("\u201a", "\u201a\u201a").replace("\u201b", "\u201b\u201b"),
                              encoding="utf-8-sig")
            said = subprocess.run([shell, "-NoProfile", "-ExecutionPolicy", "Bypass", "-File", script], capture_output=True, timeout=120)
            self.assertEqual(said.returncode, 0, said.stderr)
            self.assertEqual(out.read_text(encoding="utf-8"), f"{self.to};%USERPROFILE%\\x|ExpandString")

    def test_faults(self):
        for _ in self.each():
            self.assert_refused(self.run_script(fault="wrong-sum"), "the checksum of ")
            self.assert_refused(self.run_script(fault="cut"), "")
            self.assert_refused(self.run_script(fault="missing"), f"lists no archive for {HOST}")
            self.assert_refused(self.run_script(fault="gone"), "does not exist (404)")
            self.assert_refused(self.run_script("-Version", "7.7.7"), "does not exist (404)")
            self.assert_refused(self.run_script(repository="http://example.com/a/b"), "is not an https:// URL")
            self.assert_refused(self.run_script("-Version", "*"), "is not a version")

    def test_redirects(self):
        with Server(self.release, plain="https://127.0.0.1:9") as other:
            for _ in self.each():
                self.assert_refused(self.run_script(repository=other.repository("plain")), "it redirects to https, not to http")
                self.assert_installed(self.run_script(fault="plain"))

    def test_stalled_download_has_a_deadline(self):
        """The deadline of 30 s is made 1 s."""
        script = SCRIPT.read_text()
        self.assertEqual(script.count(" = 30000\n"), 2)
        for _ in self.each():
            shorter = self.to.parent / "install.ps1"
            shorter.write_text(script.replace(" = 30000\n", " = 1000\n"))
            self.assert_refused(self.run_script(fault="stall", script=shorter), "cannot download ")

    def test_endless_download_has_an_end(self):
        for _ in self.each():
            self.assert_refused(self.run_script(fault="endless"), "it is larger than 32 MB")

    def test_slow_download_has_a_deadline(self):
        """The deadline of 600 s is made 1 s."""
        script = SCRIPT.read_text()
        self.assertEqual(script.count(" -gt 600)"), 1)
        for _ in self.each():
            shorter = self.to.parent / "install.ps1"
            shorter.write_text(script.replace(" -gt 600)", " -gt 1)"))
            self.assert_refused(self.run_script(fault="drip", script=shorter), "it takes longer than 10 minutes")

    def test_replaces_a_running_program(self):
        for _ in self.each():
            self.assert_installed(self.run_script())
            running = subprocess.Popen([self.to / "corti-auth.exe", "sandbox"], stdout=subprocess.DEVNULL)
            self.assert_installed(self.run_script())
            running.kill()
            running.wait()
            # What ran could only be renamed; the next install deletes it.
            self.assert_installed(self.run_script())
            self.assertEqual(os.listdir(self.to), ["corti-auth.exe"])

    def test_keeps_the_old_one(self):
        """The last step fails, after the old program was renamed."""
        text, last = SCRIPT.read_text(), "Move-Item -LiteralPath $new -Destination $place\n"
        self.assertEqual(text.count(last), 1)
        for _ in self.each():
            self.assert_installed(self.run_script())
            broken = self.to.parent / "install.ps1"
            broken.write_text(text.replace(last, "throw 'no move'\n"))
            said = self.run_script(script=broken)
            self.assertIn("error: no move", said.stderr)
            self.assertEqual(os.listdir(self.to), ["corti-auth.exe"])

    def test_a_folder_of_the_programs_name(self):
        for _ in self.each():
            (self.to / "corti-auth.exe").mkdir(parents=True)
            said = self.run_script()
            self.assertEqual(said.returncode, 1)
            self.assertIn("is a folder, not a program\nhint: ", said.stderr.replace("\r", ""))
            self.assertEqual(os.listdir(self.to), ["corti-auth.exe"])
