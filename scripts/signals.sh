# To be sourced: makes cargo start tests that get signals. Programs started by nohup, or in the background of a shell
# without job control, ignore some signals, and their children inherit that.
if env --default-signal=HUP,INT,QUIT true 2> /dev/null; then
  cargo() { env --default-signal=HUP,INT,QUIT cargo "$@"; }
  export -f cargo
fi
