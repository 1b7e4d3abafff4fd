# To be sourced: runs children that end with the script, together with everything that they started.
#
# The script must define `say` first, and trap EXIT itself for its own cleanup.

patience=10 # seconds that a child has to end after a signal

child=''
running() { kill -0 -- "$1" 2>/dev/null; }

# Sends the signal to the child and everything that it started, and SIGKILL after $patience seconds or a second signal.
interrupted() { # signal name, its number
  local since=$SECONDS hurry=''
  trap 'hurry=1' INT TERM HUP
  if [[ -n $child ]] && kill -"$1" -- "$child" 2>/dev/null; then
    while [[ -z $hurry ]] && running "$child" && ((SECONDS - since < patience)); do sleep 0.1; done
    ! running "$child" || say "the command did not end after SIG$1 and is killed"
    kill -KILL -- "$child" 2>/dev/null || true
    wait "${child#-}" 2>/dev/null || true
  fi
  exit $((128 + $2))
}

trap 'interrupted INT 2' INT
trap 'interrupted TERM 15' TERM
trap 'interrupted HUP 1' HUP

# Runs a child that gets this script's signals at once, and returns its exit code. The words must end in an exec (`exec
# CMD`, or a function that does). The child has a process group of its own, and the whole group gets the signal, so that
# nothing it started is left. At a terminal it stays in the script's group, because another group could not read from the
# terminal, and Ctrl-C reaches the whole group there.
attend() {
  local code=0 sign=-
  if [[ -t 0 ]]; then sign=; else set -m; fi
  (trap - INT QUIT TERM HUP; "$@") <&0 &
  child=$sign$!
  set +m
  wait "${child#-}" 2>/dev/null || code=$?
  child=
  return "$code"
}

# Becomes CMD with a time limit: exit code 124 when it took longer, 137 when it also had to be killed. Without timeout(1)
# there is no limit.
within() { # seconds, CMD, its arguments
  if command -v timeout >/dev/null; then exec timeout -k "$patience" "$@"; fi
  shift
  exec "$@"
}
