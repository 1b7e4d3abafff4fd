# To be sourced, after attend.sh: installs what tests need from npm.
#
# The script must define `say`, `skip` and `root`.

oldest=18 # the oldest Node, from the SDK's package.json
fetching=300 # seconds for npm

new=''
trap '[[ -z $new ]] || rm -rf "$new"' EXIT

# Exits as npm's log says: with 77 if the registry cannot be reached.
npm_failed() {
  local code line
  code=$(sed -n 's/^npm \(error\|ERR!\) code //p' "$1" | head -n 1)
  line=$(grep '^npm \(error\|ERR!\)' "$1" | grep -v -m 1 ' code ' | cut -c 1-300) || line="see npm's output"
  case $code in
    ENOTFOUND | EAI_AGAIN | ECONNREFUSED | ECONNRESET | ECONNABORTED | ETIMEDOUT | ENETUNREACH | EHOSTUNREACH | \
      ENETDOWN | EHOSTDOWN | ENOTCACHED | ERR_SOCKET_TIMEOUT | FETCH_ERROR | E502 | E503 | E504)
      skip "npm cannot reach the registry: $code: $line" ;;
  esac
  say "npm could not install the packages: $code: $line"
  exit 1
}

install() { # runs in $new
  cd "$new"
  within "$fetching" npm ci --ignore-scripts --no-audit --no-fund
}

needs_node() {
  local major
  command -v node > /dev/null || skip "Node $oldest or later is needed"
  command -v npm > /dev/null || skip 'npm is needed'
  major=$(node -p 'process.versions.node.split(".")[0]')
  ((major >= oldest)) || skip "Node $oldest or later is needed, this is $major"
}

# Installs the packages that SOURCE/package-lock.json names in FOLDER, and runs no scripts of theirs. The folder is moved there
# when it is complete, so the same lock file means a complete installation.
npm_once() { # source, folder
  local code=0
  ! cmp -s "$1/package-lock.json" "$2/package-lock.json" || return 0
  mkdir -p "$root/target"
  new=$(mktemp -d "$root/target/.npm.XXXXXX")
  cp "$1/package.json" "$1/package-lock.json" "$new/"
  say 'fetching packages with npm, once'
  attend install > "$new/log" 2>&1 < /dev/null || code=$?
  ((code != 124 && code != 137)) || skip "npm could not fetch the packages within $fetching s"
  ((code == 0)) || npm_failed "$new/log"
  rm -rf "$2"
  mv "$new" "$2"
  new=''
}
