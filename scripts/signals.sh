# To be sourced: makes cargo start tests that receive signals. nohup, and the background of a shell without job control, start
# programs that ignore them.
if env --default-signal=HUP,INT,QUIT true 2> /dev/null; then
  cargo() { env --default-signal=HUP,INT,QUIT cargo "$@"; }
  export -f cargo
fi
