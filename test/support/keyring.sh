#!/bin/sh
# keyring.sh MODE CMD...  runs CMD against a real session bus in a throw-away home, and leaves nothing behind.
#   unlocked  gnome-keyring-daemon with an open "login" collection (password: test-pass)
#   empty     gnome-keyring-daemon is started by the bus, without any collection
#   absent    a bus that knows no Secret Service and cannot start one
#   no-bus    no session bus at all
# Exit code: that of CMD, or 97 when the keyring did not start.
set -u
mode=$1
shift
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
export HOME="$home" XDG_DATA_HOME="$home/.local/share" XDG_RUNTIME_DIR="$home/run"
unset DBUS_SESSION_BUS_ADDRESS DISPLAY WAYLAND_DISPLAY
mkdir -p -m 700 "$XDG_RUNTIME_DIR" "$XDG_DATA_HOME"

# The daemon outlives the bus unless it is ended by the process id that the bus knows.
with_daemon='
"$@"
rc=$?
pid=$(dbus-send --session --print-reply=literal --dest=org.freedesktop.DBus / \
  org.freedesktop.DBus.GetConnectionUnixProcessID string:org.freedesktop.secrets 2>/dev/null | awk "{print \$2}")
[ -n "$pid" ] && kill "$pid"
exit $rc'

case $mode in
  unlocked)
    dbus-run-session -- sh -c "printf %s test-pass | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1 || exit 97
$with_daemon" sh "$@"
    ;;
  empty)
    dbus-run-session -- sh -c "$with_daemon" sh "$@"
    ;;
  absent)
    # An installed gnome-keyring is started by any ordinary session bus; this one has no service folders.
    cat >"$home/bus.conf" <<'BUS'
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:tmpdir=/tmp</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
BUS
    dbus-run-session --config-file="$home/bus.conf" -- "$@"
    ;;
  no-bus)
    "$@"
    ;;
  *)
    echo "keyring.sh: no mode $mode" >&2
    exit 2
    ;;
esac
