import type { Words } from './programs.ts'

const nameOf = (option: string): string => option.replace(/=$/, '')
/** Whether the word is an option whose value is still to come. */
const wantsValue = (word: string | undefined, options: readonly string[]): boolean =>
  word !== undefined && options.includes(`${word}=`)

/**
 * What may stand at the end of a command line. Empty where anything may stand: the shell then offers files.
 *
 * @param words  those after `saoma`; the last one is being typed and may be empty
 */
export const complete = (tree: Words, words: readonly string[]): string[] => {
  const typed = words.at(-1) ?? ''
  let here = tree
  let before: string | undefined
  for (const word of words.slice(0, -1)) {
    if (word === '--') return []
    const next = wantsValue(before, here.options ?? []) ? undefined : here.commands?.[word]
    if (next) here = next
    before = word
  }
  const { options = [], values = [], commands = {} } = here
  if (wantsValue(before, options)) return []
  const all = [...Object.keys(commands), ...values, ...(typed.startsWith('-') ? options.map(nameOf) : [])]
  // Where no word can stand, options are all there is.
  const offered = all.length > 0 ? all : options.map(nameOf)
  return offered.filter((word) => word.startsWith(typed))
}

/*
 * The scripts ask the command that was typed, so one script is right for every version and every place of it.
 * A word of the command line is passed on as it stands and never evaluated.
 */

const bash = `# saoma in bash: add this line to ~/.bashrc
#   eval "$(saoma completion bash)"
_saoma() {
  local i word rest=$COMP_LINE before='' words=()
  COMPREPLY=()
  # Readline makes three words of --file=x, and five of --url=http://x. They belong together where there is no
  # space between them.
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ ($word == [=:]* || $before == *[=:]) && $word != '' && $rest == "$word"* ]]; then
      words[\${#words[@]} - 1]+=$word
    else
      words+=("$word")
    fi
    before=$word
    rest=\${rest#*"$word"}
  done
  while IFS= read -r word; do
    [ -z "$word" ] || COMPREPLY+=("$word")
  done <<<"$("\${words[0]}" complete -- "\${words[@]:1}" 2>/dev/null)"
}
complete -o default -F _saoma saoma
`

const zsh = `#compdef saoma
# saoma in zsh: add this line to ~/.zshrc, after compinit
#   eval "$(saoma completion zsh)"
_saoma() {
  local -a found
  found=("\${(@f)$("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  found=("\${(@)found:#}")
  if (( \${#found} )); then compadd -- "\${(@)found}"; else _files; fi
}
compdef _saoma saoma
`

const fish = `# saoma in fish: add this line to ~/.config/fish/config.fish
#   saoma completion fish | source
function __saoma
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    set -l found ($words[1] complete -- $words[2..-1] "$typed" 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path "$typed"
    end
end
complete -c saoma -f -a '(__saoma)'
`

/** The script that a shell reads, by the name of the shell. */
export const scripts = { bash, zsh, fish } as const
