#!/usr/bin/env node
"use strict";
// Runs the binary that npm installed for this system, and exits with its exit code.

const { spawn } = require("node:child_process");
const { constants } = require("node:os");

const platform = `@corti-auth/${process.platform}-${process.arch}`;
const exe = process.platform === "win32" ? "corti-auth.exe" : "corti-auth";

let binary;
try {
  binary = require.resolve(`${platform}/bin/${exe}`);
} catch {
  console.error(`error: the package ${platform} is not installed`);
  console.error("hint: npm install -g --include=optional corti-auth");
  console.error("hint: in a project that depends on it: npm install --include=optional");
  process.exit(1);
}

const child = spawn(binary, process.argv.slice(2), { stdio: "inherit" });

// At a terminal, Ctrl-C reaches the binary by itself. Sent again, it would count as a second Ctrl-C.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]) {
  const reaches = process.stdin.isTTY && (signal === "SIGINT" || signal === "SIGQUIT");
  process.on(signal, () => reaches || child.kill(signal));
}
child.on("error", (error) => {
  console.error(`error: ${binary} cannot be run: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  process.exit(signal ? 128 + constants.signals[signal] : code);
});
