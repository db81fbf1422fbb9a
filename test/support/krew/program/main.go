// krew itself: its own main package cannot be installed by its path, since it is no module.
package main

import "sigs.k8s.io/krew/cmd/krew/cmd"

func main() {
	cmd.Execute()
}
