package main

import (
	"log"
	"os"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// The hostPath provisioner makes a volume's folder for root alone (0750), and fsGroup does not reach hostPath: pods that
// run as somebody else, as all of ours do, could not use it. So each folder is opened as soon as it is there.
const volumes = "/tmp/hostpath_pv"

func openVolumes() {
	if err := os.MkdirAll(volumes, 0o755); err != nil {
		log.Fatal(err)
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		log.Fatal(err)
	}
	if err := watcher.Add(volumes); err != nil {
		log.Fatal(err)
	}
	// What came before the watch began.
	present, err := filepath.Glob(filepath.Join(volumes, "*"))
	if err != nil {
		log.Fatal(err)
	}
	for _, folder := range present {
		open(folder)
	}
	for event := range watcher.Events {
		if event.Has(fsnotify.Create) {
			open(event.Name)
		}
	}
}

func open(folder string) {
	if err := os.Chmod(folder, 0o777); err != nil {
		log.Printf("the volume %s could not be opened to other users: %v", folder, err)
	}
}
