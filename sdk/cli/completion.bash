# Completion of millrace for bash: source sdk/cli/completion.bash
_millrace() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  case $before in
    --data)
      mapfile -t COMPREPLY < <(compgen -d -- "$word")
      return
      ;;
    --port | --brokers | --controllers | --set) return ;;
  esac
  if [ "${COMP_WORDS[1]}" = local ] && [ "$COMP_CWORD" -gt 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W \
      "--data --port --brokers --controllers --set --status --help" -- "$word")
  else
    mapfile -t COMPREPLY < <(compgen -W "local --help --version" -- "$word")
  fi
}
complete -F _millrace millrace
