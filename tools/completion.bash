# Completion of ./dev for bash: source tools/completion.bash
_millrace_dev() {
  local word=${COMP_WORDS[COMP_CWORD]} candidates=
  if [ "$COMP_CWORD" -eq 1 ]; then
    candidates="deps build test bench fuzz fmt tidy run package help"
  else
    case ${COMP_WORDS[1]} in
      build) candidates="release debug asan tsan" ;;
      test) candidates="all unit asan tsan fuzz faults clients sdk tidy nightly fresh" ;;
      bench) candidates=$(ls build/release/bin/bench 2>/dev/null) ;;
      fuzz) candidates=$(ls build/asan/fuzz 2>/dev/null) ;;
      fmt) candidates="--check" ;;
      tidy) candidates="--deep --list" ;;
      run) candidates="--data --port --brokers --controllers --set" ;;
    esac
    candidates+=" --help"
  fi
  mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "$word")
}
complete -F _millrace_dev ./dev dev
