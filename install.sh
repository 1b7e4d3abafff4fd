#!/bin/sh
# Installs corti-auth from a release: downloads the archive of this platform, checks it and puts the program into a folder.
# Needs a POSIX shell, curl or wget, and tar. Needs no root rights. `sh install.sh --help` lists the options.
#
# Everything is in functions, and the last line calls them: a script that is cut off in transit does nothing.

# The release that published this script, filled in by .github/workflows/release.yml.
default_repository=''
default_version=''

usage() {
  cat << 'END'
Install corti-auth from a release

Usage: sh install.sh [OPTIONS]

Options:
  --repository URL     The repository's URL, such as https://github.com/OWNER/NAME
  --version VERSION    The version, such as 0.1.0 [default: this script's release, or the latest]
  --to FOLDER          Where the program goes [default: ~/.local/bin]
  --cache FOLDER       Keep the archive there, and use it again if its checksum is right
  --download FOLDER    Only put the checked archive there; install nothing
  --archive FILE       Install this archive, which --download checked
  --provenance WHEN    Verify with `gh` who built the archive: auto (if gh can), require or skip [default: auto]
END
}

fail() { # fail MESSAGE [HINT]...
  say "error: $1"
  shift
  for hint; do say "hint: $hint"; done
  exit 1
}

# On one line and without control characters. Values may come from other people, and CI systems run commands found in the log,
# such as ::set-output.
say() {
  printf '%s\n' "$(printf %s "$1" | tr '\n' ' ' | LC_ALL=C tr -d '\000-\037\177')" >&2
}

have() { command -v "$1" > /dev/null 2>&1; }

read_options() {
  repository=$default_repository version=$default_version folder='' cache='' download='' given='' provenance=auto
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help) usage && exit 0 ;;
      --repository | --version | --to | --cache | --download | --archive | --provenance)
        [ $# -gt 1 ] || fail "$1 needs a value" 'sh install.sh --help' ;;
      *) fail "unknown option '$1'" 'sh install.sh --help' ;;
    esac
    case $2 in # A folder may be called -x. Other programs must not take it for an option.
      -*) path=./$2 ;;
      *) path=$2 ;;
    esac
    case $1 in
      --repository) repository=$2 ;;
      --version) version=${2#v} ;;
      --to) folder=$path ;;
      --cache) cache=$path ;;
      --download) download=$path ;;
      --archive) given=$path ;;
      --provenance) provenance=$2 ;;
    esac
    shift 2
  done
  case $provenance in
    auto | require | skip) ;;
    *) fail "--provenance is auto, require or skip, not '$provenance'" ;;
  esac
  case $version in
    *[!0-9A-Za-z.+-]*) fail "'$version' is not a version" 'a version looks like 0.1.0' ;;
  esac
  if [ -z "$folder" ]; then
    [ -n "${HOME:-}" ] || fail 'HOME is not set, so there is no default folder' 'sh install.sh --to FOLDER'
    folder=$HOME/.local/bin
  fi
  case $folder in
    *'
'*) fail "'$folder' has a line break" 'sh install.sh --to FOLDER' ;;
  esac
}

# Plain http only to this machine, for tests.
check_repository() {
  repository=${repository%/}
  [ -n "$repository" ] || fail 'no repository given' 'sh install.sh --repository https://github.com/OWNER/NAME'
  case $repository in
    *@* | *[[:space:]]*) fail "the repository's URL must have no user, password or space" ;;
    https://?*) scheme=https ;;
    http://127.0.0.1:*/* | http://localhost:*/*) scheme=http ;;
    *) fail "'$repository' is not an https:// URL" 'sh install.sh --repository https://github.com/OWNER/NAME' ;;
  esac
  case $repository in
    *://127.0.0.1[:/]* | *://localhost[:/]*) loopback=yes ;;
    *) loopback='' ;;
  esac
}

# Linux has one build per processor: it is static, so it runs with glibc, with musl and without either.
find_target() {
  system=$(uname -s) processor=$(uname -m) suffix='' ending=tar.gz
  case $processor in
    x86_64 | amd64) processor=x86_64 ;;
    aarch64 | arm64) processor=aarch64 ;;
  esac
  case $system in
    Linux) rest=unknown-linux-musl ;;
    Darwin)
      rest=apple-darwin
      # A shell under Rosetta says x86_64.
      [ "$(sysctl -n hw.optional.arm64 2> /dev/null)" != 1 ] || processor=aarch64
      ;;
    MINGW* | MSYS* | CYGWIN*) # Git Bash, whose processor may be an emulated one
      rest=pc-windows-msvc suffix=.exe ending=zip
      case $system in *-ARM64) processor=aarch64 ;; esac
      ;;
    *) rest='' ;;
  esac
  case $processor-$rest in
    x86_64-?* | aarch64-?*) target=$processor-$rest ;;
    *)
      fail "there is no build of corti-auth for $system $processor" \
        'with Rust, from a checkout of the repository: cargo install --locked --path .'
      ;;
  esac
}

# fetch URL FILE: gives up after 30 s without data, after 10 minutes, and after 32 MB (64 MB in some shells).
fetch() {
  log=$work/log code=0
  if have curl; then
    set -- "$1" "$2" --fail --silent --show-error --location --proto "=$scheme" --retry 2 \
      --connect-timeout 15 --speed-limit 1 --speed-time 30 --max-time 600 --retry-max-time 600 --max-filesize 33554432
    [ "$scheme" = http ] || set -- "$@" --tlsv1.2
    [ -z "$loopback" ] || set -- "$@" --noproxy '*'
    url=$1 file=$2
    shift 2
    limited curl "$@" --output "$file" "$url"
    case $code in
      18) fail "the download of $url was cut off" 'try again' ;;
      23 | 63) fail "$url is larger than 32 MB, or the disk is full" ;;
    esac
  elif have wget; then
    url=$1 file=$2
    set -- -S
    # Some builds of BusyBox have no deadline.
    ! wget --help 2>&1 | grep -q -e '-T[ ,]' || set -- "$@" -T 30
    if wget --version 2> /dev/null | grep -q GNU; then
      set -- "$@" --tries=3
      [ -z "$loopback" ] || set -- "$@" --no-proxy
    elif [ -n "$loopback" ]; then
      set -- "$@" -Y off
    fi
    set -- wget "$@" -O "$file" "$url"
    ! timeout 600 uname > /dev/null 2>&1 || set -- timeout 600 "$@"
    limited "$@"
    check_wget
    [ "$code" != 124 ] || fail "cannot download $url: it takes longer than 10 minutes"
  else
    fail 'neither curl nor wget is installed' 'install one of them and run this again'
  fi
  [ "$code" = 0 ] || case $(cat "$log") in
    *'error: 404'* | *'ERROR 404'* | *HTTP/1.?' 404'*) fail "$url does not exist (404)" "releases: $repository/releases" ;;
    *'onnection closed at'* | *'closed prematurely'*) fail "the download of $url was cut off" 'try again' ;;
    *) fail "cannot download $url: $(grep -E '^(curl|wget|ERROR)|failed: |Giving up|^Cannot write' "$log" | head -n 1)" ;;
  esac
}

# No server can fill the disk: curl's own limit may need a Content-Length, and wget has none. In the background, because a
# shell handles signals only when no program runs in front.
limited() {
  {
    trap '' XFSZ # Writing fails, and says so.
    ulimit -f 65536 2> /dev/null || :
    exec "$@" 2> "$log"
  } &
  child=$!
  wait "$child" || code=$?
  child=''
}

# wget follows a redirect to plain http and ftp, and BusyBox may check no certificate: neither is trusted with a program.
check_wget() {
  [ "$scheme" = https ] || return 0
  if grep -q 'certificate validation not implemented' "$log"; then
    fail 'this wget (BusyBox) checks no certificates' 'install curl or GNU wget and run this again'
  fi
  if grep -i '^ *Location:[[:space:]]*[a-z][a-z0-9+.-]*:' "$log" | grep -qvi '^ *Location:[[:space:]]*https:'; then
    fail "$url redirects to an address without https" 'install curl and run this again'
  fi
}

# Finds the archive of this platform, and its sum, in the release's list.
find_archive() {
  if [ -n "$version" ]; then
    downloads=$repository/releases/download/v$version
  else
    downloads=$repository/releases/latest/download
  fi
  fetch "$downloads/SHA256SUMS" "$work/SHA256SUMS"
  sum='' archive='' any=${version:-*}
  while read -r listed name; do
    # shellcheck disable=SC2254 # Without a version, every one fits.
    case ${name#\*} in
      corti-auth-$any-"$target.$ending") sum=$listed archive=${name#\*} && break ;;
    esac
  done < "$work/SHA256SUMS"
  [ -n "$archive" ] || fail "$downloads/SHA256SUMS lists no archive for $target" \
    "releases: $repository/releases" 'with Rust, from a checkout of the repository: cargo install --locked --path .'
  case $archive in
    *[!0-9A-Za-z._+-]*) fail "'$archive' in SHA256SUMS is not the name of an archive" ;;
  esac
  version=${archive#corti-auth-}
  version=${version%"-$target.$ending"}
  downloads=$repository/releases/download/v$version
}

# What --download checked. Whoever verifies with a token installs in another process, without it: the program could read it.
take_archive() {
  archive=${given##*/}
  version=${archive#corti-auth-}
  version=${version%"-$target.$ending"}
  file=$work/$archive
  { [ "$archive" = "corti-auth-$version-$target.$ending" ] && cp "$given" "$file" 2> /dev/null; } \
    || fail "'$given' is not an archive of corti-auth for $target"
}

sum_of() { # sum_of FILE
  if have sha256sum; then
    sha256sum < "$1"
  elif have shasum; then
    shasum -a 256 < "$1"
  else
    openssl dgst -sha256 -r < "$1"
  fi | cut -d ' ' -f 1
}

get_archive() {
  file=$work/$archive
  # The copy is checked: somebody else may be able to write to the cache.
  kept=$cache/$archive
  if [ -n "$cache" ] && [ -f "$kept" ] && [ ! -L "$kept" ] && cp "$kept" "$file" 2> /dev/null && [ "$(sum_of "$file")" = "$sum" ]; then
    printf 'taken from %s: %s\n' "$cache" "$archive"
    return
  fi
  fetch "$downloads/$archive" "$file"
  found=$(sum_of "$file")
  [ "$found" = "$sum" ] || fail "the checksum of $archive is wrong: expected $sum, found $found" \
    'try again; if it fails again, tell the maintainers'
  [ -z "$cache" ] || keep 2> /dev/null || printf 'warning: cannot keep the archive in %s\n' "$cache" >&2
}

# mv replaces a link that somebody put there; cp would write through it.
keep() {
  mkdir -p "$cache" && keeping=$(mktemp -d "$cache/.corti-auth.XXXXXX") && cp "$file" "$keeping/" && mv -f "$keeping/$archive" "$cache/" \
    && rmdir "$keeping"
}

# The checksum comes from the same site as the archive, so it shows damage, not tampering. gh can tell who built the archive.
check_provenance() {
  slug=${repository#*://}
  host=${slug%%/*} slug=${slug#*/}
  case $host in
    github.com | *.ghe.com) github=yes ;;
    *) github='' ;;
  esac
  code=0
  if [ "$provenance" = skip ]; then
    why='you chose skip'
  elif [ -z "$github" ]; then
    why="gh works only with GitHub, not with $host"
  elif ! have gh; then
    why='gh is not installed'
  elif ! gh attestation verify --help 2>&1 | grep -q source-ref; then
    why='this gh is older than 2.68'
  else
    # The tag as well: otherwise an older release would pass for this one.
    GH_HOST=$host gh attestation verify "$file" --repo "$slug" --source-ref "refs/tags/v$version" \
      --signer-workflow "$slug/.github/workflows/release.yml" > "$work/log" 2>&1 || code=$?
    case $code in
      0) echo "provenance verified: built by the release workflow of $slug for v$version" && return ;;
      4) why='gh is not logged in: gh auth login' ;;
      *)
        cat "$work/log" >&2
        fail "gh cannot verify who built $archive" 'to install it all the same: sh install.sh --provenance skip'
        ;;
    esac
  fi
  [ "$provenance" != require ] || fail "cannot verify who built $archive: $why"
  echo 'checksum ok'
  echo "warning: provenance not verified: $why"
  echo '  (the checksum shows damage, not tampering: it comes from the same site)'
}

unpack() {
  if [ "$ending" = tar.gz ]; then
    tar -xzf "$file" -C "$work"
  elif have unzip; then
    unzip -q "$file" -d "$work"
  else # Windows' own tar
    (cd "$work" && "${SYSTEMROOT:-C:/Windows}/System32/tar.exe" -xf "$archive")
  fi || fail "cannot unpack $archive"
  program=$work/${archive%".$ending"}/corti-auth$suffix
  [ -f "$program" ] || fail "$archive does not contain corti-auth$suffix" 'tell the maintainers'
}

# Tries the program before it replaces another one.
install_program() {
  mkdir -p "$folder" || fail "cannot create $folder" 'install into your own folder: sh install.sh --to FOLDER'
  folder=$(CDPATH='' cd -- "$folder" && pwd)
  # Into a folder of this name, mv would move the program.
  [ ! -d "$folder/corti-auth$suffix" ] || fail "$folder/corti-auth$suffix is a folder, not a program" 'sh install.sh --to FOLDER'
  # Staged in a private folder inside the target folder: mv then replaces the program in one step, and nobody can swap the file.
  {
    staging=$(mktemp -d "$folder/.corti-auth.XXXXXX") && new=$staging/corti-auth$suffix \
      && cp "$program" "$new" && chmod 755 "$new"
  } || fail "cannot write to $folder" 'install into your own folder: sh install.sh --to FOLDER'
  said=$("$new" --version 2>&1) || fail "the program of $archive does not run here: $said"
  [ "$said" = "corti-auth $version" ] || fail "the archive contains another version: '$said', not 'corti-auth $version'" \
    'tell the maintainers'
  mv -f "$new" "$folder/corti-auth$suffix" || fail "cannot replace $folder/corti-auth$suffix" 'stop it and run this again'
  printf '%s\n' "installed corti-auth $version: $folder/corti-auth$suffix" # dash's echo would change backslashes
}

explain_path() {
  case $folder in
    *:*)
      printf '%s\n' "$folder cannot be in PATH, because it has a colon. Another folder: sh install.sh --to FOLDER"
      return
      ;;
  esac
  case :$PATH: in
    *":$folder:"*)
      first=$(command -v corti-auth) || first=''
      case $first in
        '' | "$folder/corti-auth"*) ;;
        *) printf '%s\n' "another corti-auth comes first in PATH: $first" ;;
      esac
      return
      ;;
  esac
  case $system:${SHELL:-} in
    *:*/zsh) startup_file=.zshrc ;;
    Darwin:*/bash) startup_file=.bash_profile ;; # Terminal starts login shells, which do not read .bashrc.
    *:*/bash) startup_file=.bashrc ;;
    *) startup_file=.profile ;;
  esac
  # The folder is in double quotes in that file, and all of it in single quotes in the command.
  quoted=$(printf '%s\n' "$folder" | sed -e 's/[\\"$`]/\\&/g' -e "s/'/'\\\\''/g")
  line="'export PATH=\"$quoted:\$PATH\"' >> ~/$startup_file"
  case $line in
    *\\*) line="printf '%s\n' $line" ;; # echo may change backslashes
    *) line="echo $line" ;;
  esac
  case ${SHELL:-} in
    */fish) line="fish_add_path '$(printf '%s\n' "$folder" | sed "s/[\\\\']/\\\\&/g")'" ;;
  esac
  printf '%s\n' "$folder is not in PATH. Add it, and open a new terminal:"
  printf '  %s\n' "$line"
}

main() {
  set -eu
  staging='' work='' child='' keeping=''
  read_options "$@"
  [ -n "$given" ] || check_repository
  find_target
  work=$(mktemp -d "${TMPDIR:-/tmp}/corti-auth.XXXXXX")
  trap '[ -z "$child" ] || kill "$child" || :; rm -rf "$work" ${staging:+"$staging"} ${keeping:+"$keeping"}' EXIT
  trap 'exit 130' INT
  trap 'exit 143' HUP TERM
  trap 'exit 141' PIPE
  have sha256sum || have shasum || have openssl \
    || fail 'no program here computes SHA-256 checksums' 'install sha256sum, shasum or openssl and run this again'
  if [ -n "$given" ]; then
    take_archive
  else
    find_archive
    get_archive
    check_provenance
  fi
  if [ -n "$download" ]; then
    { mkdir -p "$download" && cp "$file" "$download/"; } || fail "cannot write to $download"
    return
  fi
  unpack
  install_program
  explain_path
}

main "$@"
