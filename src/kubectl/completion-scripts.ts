export const shells = ['bash', 'zsh', 'fish', 'kubectl'] as const;

/** Each asks this program itself, so that a script never lags behind it; the line `:4` is for kubectl alone. */
export function completionScript(shell: (typeof shells)[number]): string {
  return scripts[shell];
}

const scripts: Readonly<Record<(typeof shells)[number], string>> = {
  bash: `# source <(kubectl-tidemark completion bash)
_kubectl_tidemark() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        case "$line" in
            :*) ;;
            *) COMPREPLY+=("$line") ;;
        esac
    done < <(kubectl-tidemark __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _kubectl_tidemark kubectl-tidemark
`,
  zsh: `#compdef kubectl-tidemark
# source <(kubectl-tidemark completion zsh)
_kubectl_tidemark() {
    local -a found
    found=(\${(f)"$(kubectl-tidemark __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
    found=(\${found:#:*})
    compadd -a found
}
compdef _kubectl_tidemark kubectl-tidemark
`,
  fish: `# kubectl-tidemark completion fish | source
function __kubectl_tidemark
    set -l words (commandline -opc) (commandline -ct)
    kubectl-tidemark __complete -- $words[2..-1] 2>/dev/null | string match -v ':*'
end
complete -c kubectl-tidemark -f -a '(__kubectl_tidemark)'
`,
  kubectl: `#!/bin/sh
# Put this file on the PATH as kubectl_complete-tidemark, and make it executable.
exec kubectl-tidemark __complete -- "$@"
`,
};
