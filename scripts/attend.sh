# For the other scripts to read in: children that end with the script, whatever they have begun themselves.
#
# The script says beforehand what `say` does, and traps EXIT itself for what it has to clear away.

patience=10 # seconds that a child has to end by a signal

child=''
running() { kill -0 -- "$1" 2>/dev/null; }

# The child and all that it began get the signal, and $patience to end by themselves, then SIGKILL; a second signal hastens
# that.
interrupted() { # signal name, its number
  local since=$SECONDS hurry=''
  trap 'hurry=1' INT TERM HUP
  if [[ -n $child ]] && kill -"$1" -- "$child" 2>/dev/null; then
    while [[ -z $hurry ]] && running "$child" && ((SECONDS - since < patience)); do sleep 0.1; done
    ! running "$child" || say "the command does not end by SIG$1 and is killed"
    kill -KILL -- "$child" 2>/dev/null || true
    wait "${child#-}" 2>/dev/null || true
  fi
  exit $((128 + $2))
}

trap 'interrupted INT 2' INT
trap 'interrupted TERM 15' TERM
trap 'interrupted HUP 1' HUP

# Runs what must end in an exec (`exec CMD`, or a function) as a child that a signal to this script reaches at once. Its
# exit code is the child's. It has a process group of its own, which is signalled as a whole: who waits for a program that
# it began would be gone before that. But a group of its own may not read from a terminal, so there it stays in the
# script's, which a Ctrl-C reaches as a whole.
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

# Ends in CMD, which is given so many seconds: exit code 124 when it took longer, 137 when it had to be killed for it. Where
# there is no timeout(1) it takes as long as it takes.
within() { # seconds, CMD, its arguments
  if command -v timeout >/dev/null; then exec timeout -k "$patience" "$@"; fi
  shift
  exec "$@"
}
