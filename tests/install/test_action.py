"""action.yml, run as GitHub's runner does, against a release and a sandbox."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import yaml

from release import HOST, ROOT, VERSION, Release, Server, needs, script, tar
from runner import EXPRESSION, Runner
from sandbox import Sandbox


def setUpModule():
    global server, sandbox
    server = unittest.enterModuleContext(Server(Release()))
    sandbox = unittest.enterModuleContext(Sandbox())


class Action(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def runner(self, variables=None, fault="good"):
        runner = Runner(self.folder, server.base, os.environ["PATH"], variables)
        # The job uses the action of the repository `good/corti-auth` on the server.
        self.action = runner.checkout(ROOT, f"{fault}/corti-auth")
        # GitHub masks what it gives from `secrets` before the job.
        runner.masks.append(sandbox.client_secret)
        return runner

    def token(self, runner, outputs, scope):
        """The token is the asked one, and nobody who reads the log sees it or the secret."""
        token = outputs["access-token"]
        mask = runner.raw.index(f"::add-mask::{token}")
        self.assertEqual(runner.raw.count(token), 1, runner.raw)
        self.assertGreaterEqual(mask, 0)
        self.assertNotIn("eyJ", runner.log)
        self.assertNotIn(sandbox.client_secret, runner.log)
        said = subprocess.run(["corti-auth", "inspect", "--json"], input=token, text=True, capture_output=True,
                              env={"PATH": runner.path, "HOME": str(self.folder)})
        self.assertEqual(json.loads(said.stdout)["reach"], scope, said.stdout)

    def test_installs(self):
        runner = self.runner()
        code, outputs = runner.run_action(self.action, {})
        self.assertEqual(code, 0, runner.log)
        self.assertEqual(outputs, {"version": VERSION, "access-token": "", "tenant-name": "", "environment": ""})
        found = shutil.which("corti-auth", path=runner.path)
        self.assertEqual(found, f"{runner.temp}/corti-auth/bin/corti-auth")
        self.assertNotIn("add-mask", runner.raw)

    def test_mints_a_limited_token(self):
        runner = self.runner()
        given = {"scope": "transcribe", "environment": sandbox.environment, "tenant": "base", "client-id": sandbox.client_id,
                 "client-secret": sandbox.client_secret}
        code, outputs = runner.run_action(self.action, given)
        self.assertEqual(code, 0, runner.log)
        self.token(runner, outputs, "limited")
        self.assertEqual((outputs["tenant-name"], outputs["environment"]), ("base", sandbox.environment))

    def test_takes_the_variables_of_the_job(self):
        for scope, reach in (("streams", "limited"), ("transcribe streams", "limited"), ("full", "full")):
            with self.subTest(scope=scope):
                runner = self.runner(sandbox.variables())
                code, outputs = runner.run_action(self.action, {"scope": scope})
                self.assertEqual(code, 0, runner.log)
                self.token(runner, outputs, reach)
            shutil.rmtree(runner.temp)

    def test_cache(self):
        runner = self.runner()
        self.assertEqual(runner.run_action(self.action, {})[0], 0, runner.log)
        runner.next_job()
        before = len(server.asked)
        self.assertEqual(runner.run_action(self.action, {})[0], 0, runner.log)
        self.assertEqual(runner.hits, [False, True])
        self.assertEqual([path.split("/")[-1] for path in server.asked[before:]], ["SHA256SUMS"])
        # Somebody filled the cache with something else.
        for file in runner.cache.rglob("*.tar.gz"):
            file.write_bytes(b"something else")
        runner.next_job()
        before = len(server.asked)
        self.assertEqual(runner.run_action(self.action, {})[0], 0, runner.log)
        self.assertEqual(len(server.asked[before:]), 2)
        self.assertTrue(shutil.which("corti-auth", path=runner.path))

    def test_cache_of_another_repository(self):
        runner = self.runner()
        self.assertEqual(runner.run_action(self.action, {})[0], 0, runner.log)
        runner.next_job()
        self.assertEqual(runner.run_action(self.action, {"repository": server.repository("other-name")})[0], 0, runner.log)
        self.assertEqual(runner.hits, [False, False])

    def test_cache_that_fails(self):
        runner = self.runner()
        runner.cache_works = False
        self.assertEqual(runner.run_action(self.action, {})[0], 0, runner.log)
        self.assertTrue(shutil.which("corti-auth", path=runner.path))

    def test_only_gh_gets_the_token(self):
        """And only for the server of the workflow. curl takes this machine for GitHub here."""
        release = Release()
        # The program reads the environment of the processes above it, too.
        release.other = tar(HOST, script(f"""exec 3> {self.folder}/program; env >&3; pid=$$
while [ "$pid" -gt 1 ] && cat /proc/$pid/environ >&3; do
  while read -r name value; do [ "$name" != PPid: ] || parent=$value; done < /proc/$pid/status
  pid=$parent
done 2> /dev/null
echo corti-auth {VERSION}"""))
        tools = self.folder / "tools"
        tools.mkdir()
        fakes = {
            "gh": f'echo "$GH_HOST $GH_TOKEN $*" >> {self.folder}/gh; case $* in *--help*) echo --signer-workflow --source-ref ;; esac',
            "curl": f"""env > {self.folder}/curl
while [ $# -gt 1 ]; do if [ "$1" = --output ]; then file=$2; fi; shift; done
exec {shutil.which("curl")} -fsS --noproxy '*' -o "$file" "$HERE${{1#https://github.com}}\"""",
        }
        for name, text in fakes.items():
            (tools / name).write_bytes(script(text))
            (tools / name).chmod(0o755)
        with Server(release) as github:
            for origin, token in (("https://github.com", "job-token"), ("https://acme.ghe.com", "")):
                with self.subTest(origin=origin):
                    runner = Runner(self.folder, origin, f"{tools}:{os.environ['PATH']}", {"HERE": github.base})
                    action = runner.checkout(ROOT, "other/corti-auth")
                    code, _ = runner.run_action(action, {"repository": "https://github.com/other/corti-auth"})
                    self.assertEqual(code, 0, runner.log)
                    self.assertIn("provenance verified", runner.log)
                    asked = (self.folder / "gh").read_text().splitlines()[-1]
                    self.assertTrue(asked.startswith(f"github.com {token} attestation verify /"), asked)
                    for program in ("curl", "program"):
                        self.assertNotIn("job-token", (self.folder / program).read_text(), program)
                shutil.rmtree(runner.temp)

    def test_faults(self):
        for fault, says in {"wrong-sum": "the checksum of ", "cut": "was cut off", "missing": "lists no archive"}.items():
            with self.subTest(fault=fault):
                runner = self.runner(fault=fault)
                code, _ = runner.run_action(self.action, {"scope": "transcribe"})
                self.assertEqual(code, 1)
                self.assertIn(says, runner.log)
                self.assertIsNone(shutil.which("corti-auth", path=f"{runner.temp}/corti-auth/bin"))
                self.assertFalse(runner.cache.exists())
            shutil.rmtree(runner.temp)

    def test_wrong_secret(self):
        runner = self.runner(sandbox.variables() | {"CORTI_CLIENT_SECRET": "wrong"})
        code, _ = runner.run_action(self.action, {"scope": "transcribe"})
        self.assertEqual(code, 5, runner.log)
        self.assertIn("Corti rejected the secret", runner.log)

    def test_refuses_other_scopes_before_it_does_anything(self):
        for scope in ("openid", "FULL", "transcribe full", "transcribe\n::stop-commands::x", "$(touch pwned)", '"; touch pwned #'):
            with self.subTest(scope=scope):
                runner = self.runner(sandbox.variables())
                before = len(server.asked)
                code, _ = runner.run_action(self.action, {"scope": scope})
                self.assertEqual(code, 1)
                self.assertIn("::error::corti-auth: scope must be transcribe, streams", runner.raw)
                self.assertEqual(len(server.asked), before)
            shutil.rmtree(runner.temp)
        self.assertFalse((self.folder / "pwned").exists())

    def test_hostile_inputs_stay_values(self):
        hostile = "$(touch pwned)`touch pwned`\"'; touch pwned #"
        for name in ("version", "repository", "provenance", "tenant", "environment", "client-id"):
            with self.subTest(name=name):
                runner = self.runner(sandbox.variables())
                code, _ = runner.run_action(self.action, {"scope": "transcribe", name: hostile})
                self.assertNotEqual(code, 0)
            shutil.rmtree(runner.temp)
        self.assertFalse(list(self.folder.rglob("pwned")))

    def test_in_its_own_repository(self):
        """`uses: ./`, and the repository by an input."""
        runner = self.runner()
        runner.run_action(ROOT, {})
        self.assertTrue(server.asked[-1].startswith("/good/app/"), server.asked[-1])
        code, _ = runner.run_action(ROOT, {"repository": server.repository()})
        self.assertEqual(code, 0, runner.log)

    def test_version_cannot_write_another_output(self):
        runner = self.runner()
        self.assertEqual(runner.run_action(self.action, {"version": "0.1.0\ncache=/etc"})[0], 1)


class Rules(unittest.TestCase):
    """What must hold for each workflow and for the action."""

    def files(self):
        return [ROOT / "action.yml", *sorted((ROOT / ".github/workflows").glob("*.yml"))]

    def steps(self, file):
        described = yaml.safe_load(file.read_text())
        if "runs" in described:
            return described["runs"]["steps"]
        return [step for job in described["jobs"].values() for step in job.get("steps", [])]

    def test_no_expression_in_a_script(self):
        for file in self.files():
            for step in self.steps(file):
                self.assertIsNone(EXPRESSION.search(step.get("run", "")), f"{file}: {step}")

    def test_actions_are_pinned(self):
        for file in self.files():
            text = file.read_text()
            used = re.findall(r"^ *(?:- )?uses: (.*)", text, re.M)
            self.assertTrue(used, file)
            for line in used:
                self.assertRegex(line, r"^actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", file)

    def test_who_may_write_builds_nothing(self):
        """Nothing but GitHub's own actions and `gh` runs in a job that may write, and only `gh` gets the token."""
        writers = []
        for file in self.files()[1:]:
            workflow = yaml.safe_load(file.read_text())
            self.assertEqual(workflow["permissions"], {"contents": "read"}, file)
            self.assertNotIn("token", str(workflow.get("env", {})).lower(), file)
            for name, job in workflow["jobs"].items():
                self.assertNotIn("token", str(job.get("env", {})).lower(), name)
                given = [step.get("run") for step in job["steps"] if "token }}" in str(step)]
                if "write" not in job.get("permissions", {}).values():
                    self.assertEqual(given, [], name)
                    continue
                writers.append(name)
                self.assertEqual(given, ["scripts/release publish release"])
                self.assertEqual([step["run"] for step in job["steps"] if "run" in step], given)
        self.assertEqual(writers, ["publish"])

    @needs("shellcheck")
    def test_shellcheck(self):
        scripts = [ROOT / "install.sh", ROOT / "scripts/release", ROOT / "tests/install/run"]
        said = subprocess.run(["shellcheck", *scripts], text=True, capture_output=True)
        self.assertEqual(said.returncode, 0, said.stdout)
        for step in self.steps(ROOT / "action.yml"):
            if "run" in step:
                said = subprocess.run(["shellcheck", "-S", "warning", "-s", "bash", "-"], input=step["run"], text=True, capture_output=True)
                self.assertEqual(said.returncode, 0, said.stdout)

    @needs("actionlint")
    def test_actionlint(self):
        for file in sorted((ROOT / ".github/workflows").glob("*.yml")):
            said = subprocess.run(["actionlint", file], cwd=ROOT, text=True, capture_output=True)
            self.assertEqual((said.returncode, said.stdout), (0, ""))
        # It checks an action where a workflow of the same repository uses it.
        page = (ROOT / "docs/ci.md").read_text()
        steps = re.search(r"^```yaml github\n(.*?)^```$", page, re.M | re.S)[1]
        steps = steps.replace("OWNER/corti-auth@v0.1.0", "./").replace("\n", "\n    ")
        workflow = f"on: push\njobs:\n  test:\n    runs-on: ubuntu-24.04\n    {steps}"
        with tempfile.TemporaryDirectory() as repository:
            workflows = pathlib.Path(repository, ".github/workflows")
            workflows.mkdir(parents=True)
            os.mkdir(f"{repository}/.git")
            shutil.copy(ROOT / "action.yml", repository)
            (workflows / "documented.yml").write_text(workflow)
            (workflows / "wrong.yml").write_text(workflow.replace("scope:", "scoop:"))
            said = subprocess.run(["actionlint", "-no-color"], cwd=repository, text=True, capture_output=True)
        found = [line for line in said.stdout.splitlines() if line.startswith(".github")]
        self.assertEqual(len(found), 1, said.stdout)
        self.assertIn('wrong.yml:9:11: input "scoop" is not defined in action "corti-auth"', found[0])
