"""The recipes on docs/ci.md and the templates in ci/, run as GitHub, GitLab, Azure and Jenkins do."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import yaml

from release import ROOT, VERSION, Release, Server, certificate, needs
from runner import EXPRESSION, Runner
from sandbox import Sandbox

SMOKE_TEST = """#!/bin/sh
test -n "$CORTI_ACCESS_TOKEN" && test -z "$CORTI_CLIENT_SECRET" || exit 90
printf %s "$CORTI_ACCESS_TOKEN" | corti-auth inspect --json | grep -o '"reach": *"[a-z]*"' || exit 91
echo "tested with $CORTI_ENVIRONMENT $CORTI_TENANT_NAME"
"""


def setUpModule():
    """The templates take https only, so the release is on an https server, whose certificate curl is told to trust."""
    global server, plain, trust, sandbox
    folder = unittest.enterModuleContext(tempfile.TemporaryDirectory())
    trust = certificate(pathlib.Path(folder))
    release = Release()
    plain = unittest.enterModuleContext(Server(release))
    server = unittest.enterModuleContext(Server(release, trust, plain.base))
    sandbox = unittest.enterModuleContext(Sandbox())


def block(info: str) -> str:
    """A block of docs/ci.md, with the release and the sandbox where it names its examples."""
    page = (ROOT / "docs/ci.md").read_text()
    text = re.search(rf"^```{info}\n(.*?)^```$", page, re.M | re.S)[1]
    assert "OWNER/corti-auth" in text, text
    text = text.replace("https://github.com/OWNER/corti-auth", server.repository()).replace("0.1.0", VERSION)
    return re.sub(r"(environment|CORTI_ENVIRONMENT): eu$", rf"\1: {sandbox.environment}", text, flags=re.M)


class Templates(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "smoke-test").write_text(SMOKE_TEST)
        (self.folder / "smoke-test").chmod(0o755)
        shutil.copytree(ROOT / "ci", self.folder / "ci")
        self.log = ""

    def run_script(self, words, **variables):
        variables = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "CI": "true", "CURL_CA_BUNDLE": str(trust), **variables}
        said = subprocess.run(words, env=variables, cwd=self.folder, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=300)
        self.log += said.stdout
        return said

    def impatient(self, seconds=30):
        """A PATH whose curl waits 1 s where it was told to wait so long."""
        tools = self.folder / "tools"
        tools.mkdir(exist_ok=True)
        (tools / "curl").write_text(f"""#!/bin/sh
for word; do shift; [ "$word" != {seconds} ] || word=1; set -- "$@" "$word"; done
exec {shutil.which("curl")} "$@"
""")
        (tools / "curl").chmod(0o755)
        return f"{tools}:{os.environ['PATH']}"

    def assert_nothing_installed(self, says):
        self.assertIn(says, self.log)
        self.assertFalse(list(self.folder.rglob("bin/corti-auth")) + list(self.folder.rglob("corti-auth/corti-auth")))

    def assert_tested(self, reach="limited"):
        self.assertRegex(self.log, rf'"reach": *"{reach}"\n')
        self.assertIn(f"tested with {sandbox.environment} base\n", self.log)
        self.assertNotIn(sandbox.client_secret, self.log)


class GitHub(Templates):
    def test_documented(self):
        install, use = yaml.safe_load(block("yaml github"))["steps"]
        self.assertEqual(install["uses"], f"OWNER/corti-auth@v{VERSION}")
        secrets = {name: it for name, it in sandbox.variables().items() if name.startswith("CORTI_CLIENT")}
        runner = Runner(self.folder, server.base, os.environ["PATH"], {"CURL_CA_BUNDLE": str(trust)})
        runner.contexts["secrets"] = secrets
        runner.masks += secrets.values()

        def fill(text, steps=None):
            return EXPRESSION.sub(lambda it: runner.evaluate(it[1].strip(), steps or {}, {}), text)

        code, outputs = runner.run_action(runner.checkout(ROOT, "good/corti-auth"), {name: fill(it) for name, it in install["with"].items()})
        self.assertEqual(code, 0, runner.log)
        variables = {name: fill(it, {install["id"]: outputs}) for name, it in use["env"].items()}
        self.run_script(["bash", "-e", "-c", use["run"]], **{**variables, "PATH": runner.path})
        self.assert_tested()


class GitLab(Templates):
    def job(self, variables=None, name="smoke-test", **changes):
        """Runs a job of the documented pipeline, changed."""
        pipeline = yaml.safe_load(block("yaml gitlab"))
        included = yaml.safe_load((self.folder / pipeline["include"][0]["local"]).read_text())
        job = {"before_script": [], **included.get(pipeline[name].get("extends"), {}), **pipeline[name], **changes}
        given = {**pipeline["variables"], **sandbox.variables(), **(variables or {}), "CI_PROJECT_DIR": str(self.folder)}
        script = "\n".join([*job["before_script"], *job["script"]])
        return self.run_script(["bash", "-eo", "pipefail", "-c", script], **given)

    def test_documented(self):
        self.assertEqual(self.job().returncode, 0, self.log)
        self.assert_tested()

    def test_token_for_another_job(self):
        self.assertEqual(self.job(name="token").returncode, 0, self.log)
        self.assertIn("does not mask", self.log)
        report = self.folder / yaml.safe_load(block("yaml gitlab"))["token"]["artifacts"]["reports"]["dotenv"]
        given = dict(line.split("=", 1) for line in report.read_text().splitlines())
        # The smoke test refuses to see the secret. It is in the project's settings, which all jobs see.
        said = self.job({**given, "CORTI_CLIENT_SECRET": "", "PATH": f"{self.folder}/.corti-auth/bin:{os.environ['PATH']}"}, "later-test")
        self.assertEqual(said.returncode, 0, self.log)
        self.assert_tested()
        self.assertNotIn(given["CORTI_ACCESS_TOKEN"], self.log)

    def test_cache(self):
        self.job()
        shutil.rmtree(self.folder / ".corti-auth/bin")
        self.job()
        self.assertIn("taken from .corti-auth/cache", self.log)

    def test_scope(self):
        for scope, reach in (("transcribe", "limited"), ("transcribe streams", "limited"), ("full", "full")):
            with self.subTest(scope=scope):
                self.log = ""
                said = self.job({"CORTI_AUTH_SCOPE": scope}, script=["unset CORTI_CLIENT_SECRET", "./smoke-test"])
                self.assertEqual(said.returncode, 0, self.log)
                self.assert_tested(reach)
                self.assertNotIn("eyJ", self.log)

    def test_other_scope(self):
        said = self.job({"CORTI_AUTH_SCOPE": "openid"})
        self.assertEqual(said.returncode, 1)
        self.assertIn("error: CORTI_AUTH_SCOPE must be transcribe", self.log)

    def test_wrong_secret_ends_the_job(self):
        said = self.job({"CORTI_AUTH_SCOPE": "transcribe", "CORTI_CLIENT_SECRET": "wrong"}, script=["echo went on"])
        self.assertEqual(said.returncode, 5)
        self.assertNotIn("went on", self.log)

    def test_plain_http(self):
        """Neither from a server without https nor by a redirect to one."""
        before = len(plain.asked)
        for repository in (plain.repository(), server.repository("plain")):
            self.log = ""
            self.assertEqual(self.job({"CORTI_AUTH_REPOSITORY": repository}).returncode, 1)
            self.assert_nothing_installed('Protocol "http" ')
        self.assertEqual(len(plain.asked), before)

    def test_stalled(self):
        said = self.job({"CORTI_AUTH_REPOSITORY": server.repository("stalled"), "PATH": self.impatient()})
        self.assertEqual(said.returncode, 28, self.log)
        self.assert_nothing_installed("Operation too slow")

    def test_too_slow(self):
        """The limit of 600 s is made 1 s."""
        said = self.job({"CORTI_AUTH_REPOSITORY": server.repository("drip"), "PATH": self.impatient(600)})
        self.assertEqual(said.returncode, 28, self.log)
        self.assert_nothing_installed("")

    @needs("busybox")
    def test_in_a_small_image(self):
        """busybox's programs and curl, as in an image without bash."""
        tools = self.folder / "tools"
        tools.mkdir()
        subprocess.run(["busybox", "--install", "-s", tools], check=True)
        pipeline = yaml.safe_load(block("yaml gitlab"))
        job = yaml.safe_load((self.folder / "ci/gitlab.yml").read_text())[".corti-auth"]
        script = "\n".join([*job["before_script"], *pipeline["smoke-test"]["script"]])
        given = {**pipeline["variables"], **sandbox.variables(), "CI_PROJECT_DIR": str(self.folder), "PATH": str(tools)}
        said = self.run_script([tools / "sh", "-e", "-c", script], **given)
        self.assertEqual(said.returncode, 1)
        self.assert_nothing_installed("this image has no curl, which installs corti-auth\nhint: apk add curl, or apt-get install curl, before !reference [")
        (tools / "curl").symlink_to(shutil.which("curl"))
        said = self.run_script([tools / "sh", "-e", "-c", script], **given)
        self.assertEqual(said.returncode, 0, self.log)
        self.assert_tested()


class Azure(Templates):
    def pipeline(self, path=os.environ["PATH"], **parameters):
        """Runs the documented pipeline with other parameters. What the agent takes out of the log is not in it."""
        pipeline = yaml.safe_load(block("yaml azure"))
        template, use = pipeline["steps"]
        described = yaml.safe_load((self.folder / template["template"]).read_text())
        given = {it["name"]: it["default"] for it in described["parameters"] if "default" in it}
        given |= {**template["parameters"], **parameters}
        for it in described["parameters"]:
            assert given[it["name"]] in it.get("values", [given[it["name"]]]), f"{it['name']} is refused"
        steps = []
        for step in described["steps"]:
            (key, value), *_ = step.items()
            if not key.startswith("$"):
                steps.append(step)
            elif given["scope"] != re.fullmatch(r"\$\{\{ if ne\(parameters.scope, '(\w+)'\) \}\}", key)[1]:
                steps += value
        temporary = self.folder / "temporary"
        temporary.mkdir(exist_ok=True)
        variables = {**pipeline["variables"], "Pipeline.Workspace": str(self.folder)}
        variables |= {name: it for name, it in sandbox.variables().items() if name.startswith("CORTI_CLIENT")}
        secret = {"CORTI_CLIENT_SECRET"}
        for step in (*steps, use):
            if "task" in step:
                self.assertEqual(step["task"], "Cache@2")
                for part in ("${{ parameters.repository }}", "${{ parameters.version }}", "$(Agent.OS)", "$(Agent.OSArchitecture)"):
                    self.assertIn(f'"{part}"', step["inputs"]["key"])
                continue
            self.assertNotIn("${{", step["bash"])
            fill = lambda text: re.sub(r"\$\((.*?)\)", lambda it: variables.get(it[1], it[0]),
                                       re.sub(r"\$\{\{ parameters\.(\w+) \}\}", lambda it: given[it[1]], text))
            mapped = {name: fill(it) for name, it in step["env"].items()}
            # A step sees the variables that are no secrets, and those that it maps.
            seen = {name: it for name, it in variables.items() if name not in secret and name.isidentifier()}
            before, self.log = self.log, ""
            said = self.run_script(["bash", "--noprofile", "--norc", "-c", step["bash"]],
                                   **{**seen, **mapped, "PATH": path, "AGENT_TEMPDIRECTORY": str(temporary)})
            for folder in re.findall(r"^##vso\[task.prependpath\](.*)$", said.stdout, re.M):
                path = f"{folder}:{path}"
            for name, rest, value in re.findall(r"^##vso\[task.setvariable variable=(\w+)(.*?)\](.*)$", said.stdout, re.M):
                variables[name] = value
                secret |= {name} if "issecret=true" in rest else set()
            self.log = before + re.sub(r"^##vso.*\n", "", self.log, flags=re.M)
            if said.returncode:
                return said.returncode
        return 0

    def test_documented(self):
        self.assertEqual(self.pipeline(), 0, self.log)
        self.assert_tested()
        self.assertNotIn("eyJ", self.log)

    def test_full(self):
        self.assertEqual(self.pipeline(scope="full"), 0, self.log)
        self.assert_tested("full")

    def test_without_a_token(self):
        # A variable that nobody set stays as it is written: $(CORTI_ACCESS_TOKEN) is no token.
        self.assertEqual(self.pipeline(scope="none"), 91, self.log)
        self.assertIn(f"installed corti-auth {VERSION}", self.log)

    def test_cache(self):
        self.pipeline()
        shutil.rmtree(self.folder / "temporary")
        self.pipeline()
        self.assertIn("taken from", self.log)

    def test_fault(self):
        self.assertEqual(self.pipeline(repository=server.repository("wrong-sum")), 1)
        self.assertIn("the checksum of ", self.log)

    def test_plain_http(self):
        before = len(plain.asked)
        for repository in (plain.repository(), server.repository("plain")):
            self.log = ""
            self.assertEqual(self.pipeline(repository=repository), 1)
            self.assert_nothing_installed('Protocol "http" ')
        self.assertEqual(len(plain.asked), before)

    def test_stalled(self):
        self.assertEqual(self.pipeline(self.impatient(), repository=server.repository("stalled")), 28, self.log)
        self.assert_nothing_installed("Operation too slow")

    def test_too_slow(self):
        """The limit of 600 s is made 1 s."""
        self.assertEqual(self.pipeline(self.impatient(600), repository=server.repository("drip")), 28, self.log)
        self.assert_nothing_installed("")


class Jenkins(Templates):
    def test_documented(self):
        text = block("groovy jenkins")
        given = dict(re.findall(r"^    (CORTI_\w+) = '(.*)'$", text, re.M))
        given |= {"CORTI_ENVIRONMENT": sandbox.environment, "WORKSPACE": str(self.folder),
                  "PATH": f"{self.folder}/bin:{os.environ['PATH']}"}
        install, use = re.search(r"sh '''\n(.*)'''\n.*^        sh '(.*)'$", text, re.S | re.M).groups()
        credentials = {re.search(r"usernameVariable: '(\w+)'", text)[1]: sandbox.client_id,
                       re.search(r"passwordVariable: '(\w+)'", text)[1]: sandbox.client_secret}
        for script, more in ((install, {}), (use, credentials)):
            # Jenkins traces its commands.
            said = self.run_script(["sh", "-xe", "-c", script], **given, **more)
            self.assertEqual(said.returncode, 0, self.log)
        self.assert_tested()
        self.assertNotIn("eyJ", self.log)
