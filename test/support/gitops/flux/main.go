// Applies objects, waits for their health, and prunes, with Flux's own packages in the way of its kustomize-controller
// (internal/controller/kustomization_controller.go: apply, checkHealth). Reads a question, writes an answer.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/engine"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/normalize"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

type question struct {
	Kubeconfig       string                        `json:"kubeconfig"`
	Objects          []*unstructured.Unstructured  `json:"objects"`
	HealthCheckExprs []kustomize.CustomHealthCheck `json:"healthCheckExprs"`
	TimeoutSeconds   int                           `json:"timeoutSeconds"`
	Prune            bool                          `json:"prune"`
}

type answer struct {
	// What was done to each object: created, configured, unchanged, skipped, deleted.
	Actions map[string]string `json:"actions"`
	// Empty where all are healthy.
	Unhealthy string `json:"unhealthy"`
}

const group = "kustomize.toolkit.fluxcd.io"

func main() {
	var asked question
	must(json.NewDecoder(os.Stdin).Decode(&asked))
	ctx := context.Background()
	config, err := clientcmd.BuildConfigFromFlags("", asked.Kubeconfig)
	must(err)
	manager, err := managerFor(ctx, config, asked.HealthCheckExprs)
	must(err)
	must(normalize.UnstructuredList(asked.Objects))
	manager.SetOwnerLabels(asked.Objects, "shop-backups", "flux-system")
	said, err := reconcile(ctx, manager, asked)
	must(err)
	must(json.NewEncoder(os.Stdout).Encode(said))
}

func managerFor(ctx context.Context, config *rest.Config, exprs []kustomize.CustomHealthCheck) (*ssa.ResourceManager, error) {
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	mapper, err := apiutil.NewDynamicRESTMapper(config, httpClient)
	if err != nil {
		return nil, err
	}
	kube, err := client.New(config, client.Options{HTTPClient: httpClient, Mapper: mapper})
	if err != nil {
		return nil, err
	}
	made, err := cel.PollerWithCustomHealthChecks(ctx, exprs)
	if err != nil {
		return nil, err
	}
	readers := make([]engine.StatusReader, 0, len(made))
	for _, make := range made {
		readers = append(readers, make(mapper))
	}
	poller := polling.NewStatusPoller(kube, mapper, polling.Options{CustomStatusReaders: readers})
	return ssa.NewResourceManager(kube, poller, ssa.Owner{Field: "kustomize-controller", Group: group}), nil
}

func reconcile(ctx context.Context, manager *ssa.ResourceManager, asked question) (answer, error) {
	said := answer{Actions: map[string]string{}}
	if asked.Prune {
		options := ssa.DefaultDeleteOptions()
		options.Exclusions = map[string]string{group + "/prune": "disabled", group + "/reconcile": "disabled"}
		changes, err := manager.DeleteAll(ctx, asked.Objects, options)
		if err == nil {
			said.add(changes)
		}
		return said, err
	}
	options := ssa.DefaultApplyOptions()
	options.ExclusionSelector = map[string]string{group + "/reconcile": "disabled", group + "/ssa": "Ignore"}
	changes, err := manager.ApplyAllStaged(ctx, asked.Objects, options)
	if err != nil {
		return said, err
	}
	said.add(changes)
	err = manager.WaitForSetWithContext(ctx, changes.ToObjMetadataSet(), ssa.WaitOptions{
		Interval: time.Second,
		Timeout:  time.Duration(asked.TimeoutSeconds) * time.Second,
		FailFast: true,
	})
	if err != nil {
		said.Unhealthy = err.Error()
	}
	return said, nil
}

func (said *answer) add(changes *ssa.ChangeSet) {
	for _, entry := range changes.Entries {
		said.Actions[entry.ObjMetadata.GroupKind.Kind+"/"+entry.ObjMetadata.Name] = string(entry.Action)
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
