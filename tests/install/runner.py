"""What GitHub's runner does with a composite action: expressions, step outputs, PATH, masks, a cache."""

import os
import pathlib
import re
import shutil
import subprocess

import yaml

EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.S)


class Runner:
    """A job on a runner. `log` is what people see, `raw` what the steps wrote."""

    def __init__(self, folder: pathlib.Path, server: str, path: str, variables: dict[str, str] | None = None):
        self.server = server
        self.folder, self.path, self.cache = folder, path, folder / "cache-service"
        self.temp = folder / "temp"
        self.temp.mkdir()
        self.contexts = {"runner": {"os": "Linux", "arch": "X64"}, "env": variables or {}, "github": {"token": "job-token"}}
        self.variables = variables or {}
        self.masks: list[str] = []
        self.log = self.raw = ""
        self.hits: list[bool] = []
        self.cache_works = True

    def evaluate(self, expression: str, steps: dict, inputs: dict) -> str:
        """The parts of the expression language that the action uses."""
        contexts = {**self.contexts, "inputs": inputs}
        tokens = re.findall(r"'(?:[^']|'')*'|\|\||!=|==|[\w.-]+", expression)

        def value():
            token = tokens.pop(0)
            if token.startswith("'"):
                return token[1:-1].replace("''", "'")
            name = token.split(".")
            if name[0] == "steps":
                assert name[2] == "outputs"
                return steps.get(name[1], {}).get(name[3], "")
            return contexts[name[0]].get(".".join(name[1:]), "")

        def compared():
            left = value()
            while tokens and tokens[0] in ("==", "!="):
                operator, right = tokens.pop(0), value()
                left = "true" if (left == right) == (operator == "==") else ""
            return left

        def alternatives():
            left = compared()
            while tokens and tokens[0] == "||":
                tokens.pop(0)
                right = compared()
                left = left or right
            return left

        found = alternatives()
        assert not tokens, f"not understood: {expression}"
        return found

    def checkout(self, action: pathlib.Path, name: str) -> pathlib.Path:
        """Where the runner puts an action that a job uses: OWNER/NAME@v1."""
        place = self.folder / "_actions" / name / "v1"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for file in ("action.yml", "install.sh", "Cargo.toml"):
            shutil.copy(action / file, place)
        return place

    def run_action(self, action: pathlib.Path, given: dict[str, str]) -> tuple[int, dict[str, str]]:
        """Runs the action in this folder with these inputs. Returns its exit code and its outputs."""
        described = yaml.safe_load((action / "action.yml").read_text())
        assert not set(given) - set(described["inputs"]), "unknown inputs"
        inputs = {name: given.get(name, it["default"]) for name, it in described["inputs"].items()}
        steps: dict[str, dict] = {}

        def fill(text):
            return EXPRESSION.sub(lambda it: self.evaluate(it[1].strip(), steps, inputs), str(text))

        code, saves = 0, []
        for step in described["runs"]["steps"]:
            if "if" in step and not self.evaluate(step["if"], steps, inputs):
                continue
            if "uses" in step:
                if self.cache_works:
                    saves.append(self.restore({name: fill(it) for name, it in step["with"].items()}))
                elif not step.get("continue-on-error"):
                    code = 1
                    break
                continue
            code, steps[step.get("id", "")] = self.run_step(action, step, {name: fill(it) for name, it in step["env"].items()})
            if code:
                break
        for save in saves if code == 0 else ():
            save()
        return code, {name: fill(it["value"]) for name, it in described["outputs"].items()} if code == 0 else {}

    def run_step(self, action: pathlib.Path, step: dict, variables: dict[str, str]):
        assert step["shell"] == "bash"
        script = self.temp / "step.sh"
        script.write_text(step["run"])
        files = {name: self.temp / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_ENV")}
        for file in files.values():
            file.write_text("")
        environment = {
            "PATH": self.path, "HOME": str(self.folder), "CI": "true", "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(action), "GITHUB_SERVER_URL": self.server, "GITHUB_REPOSITORY": "good/app",
            "RUNNER_TEMP": str(self.temp), "RUNNER_OS": "Linux", "RUNNER_ARCH": "X64",
            **{name: str(file) for name, file in files.items()}, **self.variables, **variables,
        }
        # The runner shows a step's variables before it runs it.
        self.write("".join(f"  {name}: {it}\n" for name, it in variables.items()))
        said = subprocess.run(["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)], env=environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=self.folder)
        self.write(said.stdout)
        for entry in files["GITHUB_PATH"].read_text().splitlines():
            self.path = f"{entry}:{self.path}"
        assert files["GITHUB_ENV"].read_text() == ""
        outputs = [line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines()]
        return said.returncode, dict(outputs)

    def write(self, text: str):
        """A line of the log: masked by what was masked before it."""
        self.raw += text
        for line in text.splitlines():
            if line.startswith("::add-mask::"):
                self.masks.append(line.removeprefix("::add-mask::").replace("%25", "%"))
            for mask in self.masks:
                line = line.replace(mask, "***")
            self.log += line + "\n"

    def restore(self, options: dict[str, str]):
        """actions/cache: restores now, saves at the end of the job if the key was new."""
        path, place = pathlib.Path(options["path"]), self.cache / options["key"]
        assert "," not in options["key"] and len(options["key"]) <= 512, "actions/cache refuses this key"
        self.hits.append(place.exists())
        if place.exists():
            shutil.copytree(place, path, dirs_exist_ok=True)
            return lambda: None
        return lambda: shutil.copytree(path, place)

    def next_job(self):
        """Another machine: only the cache is left."""
        shutil.rmtree(self.temp)
        self.temp.mkdir()
        self.path = ":".join(it for it in self.path.split(":") if not it.startswith(str(self.temp)))
        self.log = self.raw = ""
        self.masks = []
