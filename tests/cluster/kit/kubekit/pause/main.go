// Command pause waits to be told to stop, and meanwhile buries the children it inherits.
//
// It is process 1 of every pod's sandbox, and of the namespaces that the node itself lives in.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	told := make(chan os.Signal, 16)
	signal.Notify(told, syscall.SIGCHLD, syscall.SIGINT, syscall.SIGTERM)
	for which := range told {
		if which != syscall.SIGCHLD {
			return
		}
		for bury() {
		}
	}
}

// bury waits for one child that has ended; false when there is none.
func bury() bool {
	pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
	return err == nil && pid > 0
}
