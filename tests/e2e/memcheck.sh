#!/bin/sh
# Proves K05: every byte that goes into a socket or a file was set, by running a test under valgrind's memcheck, which says
# where one was not. With two programs the first is one that sends such a byte, and must be found out: else the rest proves
# nothing.
#   memcheck.sh CONTROL PROGRAM
control=$1
program=$2
command -v valgrind >/dev/null || { echo 'skipped: valgrind is missing: apt-get install valgrind'; exit 77; }
check() { valgrind -q --error-exitcode=99 --undef-value-errors=yes --leak-check=no --child-silent-after-fork=yes "$@"; }
report=$(check "$control" 2>&1) && { echo "memcheck did not find the byte that $control sends unset"; exit 1; }
case $report in
*sendto* | *send\(* | *send.c*) ;;
*) echo "memcheck said something else about $control: $report"; exit 1 ;;
esac
check "$program"
