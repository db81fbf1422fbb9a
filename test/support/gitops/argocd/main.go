// Compares, syncs and prunes objects with Argo CD's own engine in the way of its application controller (controller/state.go:
// CompareAppState; controller/sync.go: SyncAppState), and waits for their health. Reads a question, writes an answer.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/argoproj/gitops-engine/pkg/cache"
	"github.com/argoproj/gitops-engine/pkg/diff"
	"github.com/argoproj/gitops-engine/pkg/health"
	"github.com/argoproj/gitops-engine/pkg/sync"
	"github.com/argoproj/gitops-engine/pkg/sync/common"
	"github.com/argoproj/gitops-engine/pkg/sync/resource"
	"github.com/argoproj/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/gitops-engine/pkg/utils/tracing"
	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

type question struct {
	Kubeconfig string `json:"kubeconfig"`
	// What stands in Git.
	Objects     []*unstructured.Unstructured `json:"objects"`
	Application application                  `json:"application"`
	// argocd-cm's data: the scripts for health.
	Settings       settings `json:"settings"`
	TimeoutSeconds int      `json:"timeoutSeconds"`
}

// What the engine is told of an Application.
type application struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Spec     struct {
		Destination struct {
			Namespace string `json:"namespace"`
		} `json:"destination"`
		SyncPolicy struct {
			Automated struct {
				Prune bool `json:"prune"`
			} `json:"automated"`
			SyncOptions []string `json:"syncOptions"`
		} `json:"syncPolicy"`
	} `json:"spec"`
}

type answer struct {
	// What Argo CD showed as OutOfSync before; where there is none an automated sync does nothing.
	OutOfSync []string `json:"outOfSync"`
	Phase     string   `json:"phase"`
	Message   string   `json:"message"`
	// What the sync said of each object: Synced, SyncFailed, Pruned, PruneSkipped, and its words.
	Results map[string]result `json:"results"`
	// The waves in the order in which they were applied.
	Waves []int `json:"waves"`
	// Of what stands in Git after a sync that succeeded, once all is Healthy, one is Degraded, or the time is over.
	Health map[string]*health.HealthStatus `json:"health"`
}

type result struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// Argo CD's field manager, and the annotation by which it knows its own: application:group/kind:namespace/name.
const (
	manager  = "argocd-controller"
	tracking = "argocd.argoproj.io/tracking-id"
	// Of an Application.
	compareOptions = "argocd.argoproj.io/compare-options"
)

type controller struct {
	question
	config  *rest.Config
	kubectl kube.Kubectl
	cluster cache.ClusterCache
	applier diff.KubeApplier
}

func main() {
	klog.SetLogger(logr.Discard())
	var asked question
	must(json.NewDecoder(os.Stdin).Decode(&asked))
	controller, closeAll, err := open(asked)
	must(err)
	defer closeAll()
	said, err := controller.reconcile()
	must(err)
	must(json.NewEncoder(os.Stdout).Encode(said))
}

func open(asked question) (*controller, func(), error) {
	config, err := clientcmd.BuildConfigFromFlags("", asked.Kubeconfig)
	if err != nil {
		return nil, nil, err
	}
	kubectl := &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}
	cluster := cache.NewClusterCache(config,
		cache.SetKubectl(kubectl),
		cache.SetLogr(logr.Discard()),
		cache.SetNamespaces([]string{asked.Application.Spec.Destination.Namespace}),
		cache.SetPopulateResourceInfoHandler(func(object *unstructured.Unstructured, _ bool) (any, bool) {
			id := object.GetAnnotations()[tracking]
			return id, id != ""
		}),
	)
	for _, object := range asked.Objects {
		annotations := object.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		key := kube.GetResourceKey(object)
		annotations[tracking] = fmt.Sprintf("%s:%s/%s:%s/%s", asked.Application.Metadata.Name, key.Group, key.Kind, key.Namespace, key.Name)
		object.SetAnnotations(annotations)
	}
	if err := cluster.EnsureSynced(); err != nil {
		return nil, nil, err
	}
	applier, closeAll, err := kube.ManageServerSideDiffDryRuns(config, cluster.GetOpenAPISchema(), tracing.NopTracer{}, logr.Discard(),
		func(string) (kube.CleanupFunc, error) { return func() {}, nil })
	return &controller{asked, config, kubectl, cluster, applier}, closeAll, err
}

func (app *controller) reconcile() (answer, error) {
	said := answer{Results: map[string]result{}, Waves: []int{}, Health: map[string]*health.HealthStatus{}}
	state, err := app.state()
	if err != nil {
		return said, err
	}
	if said.OutOfSync, err = app.compare(state); err != nil {
		return said, err
	}
	deadline := time.Now().Add(time.Duration(app.TimeoutSeconds) * time.Second)
	results, err := app.sync(state, &said, deadline)
	if err != nil {
		return said, err
	}
	for _, each := range results {
		said.Results[each.ResourceKey.Kind+"/"+each.ResourceKey.Name] = result{string(each.Status), each.Message}
	}
	if said.Phase == string(common.OperationSucceeded) {
		said.Health, err = app.awaitHealth(deadline)
	}
	return said, err
}

// What Git and the cluster have.
func (app *controller) state() (sync.ReconciliationResult, error) {
	live, err := app.cluster.GetManagedLiveObjs(app.Objects, func(found *cache.Resource) bool {
		id, _ := found.Info.(string)
		return strings.HasPrefix(id, app.Application.Metadata.Name+":")
	})
	if err != nil {
		return sync.ReconciliationResult{}, err
	}
	return sync.Reconcile(app.Objects, live, app.Application.Spec.Destination.Namespace, app.cluster), nil
}

// Which of it differs.
func (app *controller) compare(state sync.ReconciliationResult) ([]string, error) {
	diffs, err := diff.DiffArray(state.Target, state.Live,
		diff.WithServerSideDiff(resource.HasAnnotationOption(&app.Application.Metadata, compareOptions, "ServerSideDiff=true")),
		diff.WithServerSideDryRunner(diff.NewK8sServerSideDryRunner(app.applier)),
		diff.WithStructuredMergeDiff(app.has(common.SyncOptionServerSideApply)),
		diff.WithGVKParser(app.cluster.GetGVKParser()),
		diff.WithManager(manager),
		diff.WithLogr(logr.Discard()),
	)
	if err != nil {
		return nil, err
	}
	modified := []string{}
	for index, each := range diffs.Diffs {
		object := state.Target[index]
		if object == nil {
			object = state.Live[index]
		}
		// What left Git is to be pruned.
		if each.Modified || state.Target[index] == nil {
			modified = append(modified, nameOf(object))
		}
	}
	slices.Sort(modified)
	return modified, nil
}

// The controller comes back to an operation again and again, each time with what the cluster has by then.
func (app *controller) sync(state sync.ReconciliationResult, said *answer, deadline time.Time) ([]common.ResourceSyncResult, error) {
	var results []common.ResourceSyncResult
	phase, message, begun := common.OperationRunning, "", metav1.Now()
	for {
		foreground := metav1.DeletePropagationForeground
		operation, cleanup, err := sync.NewSyncContext("0000000", state, app.config, app.config, app.kubectl, app.Application.Spec.Destination.Namespace,
			app.cluster.GetOpenAPISchema(),
			sync.WithLogr(logr.Discard()),
			sync.WithHealthOverride(app.Settings),
			sync.WithOperationSettings(false, app.Application.Spec.SyncPolicy.Automated.Prune, false, false),
			sync.WithInitialState(phase, message, results, begun),
			sync.WithManifestValidation(!app.has(common.SyncOptionsDisableValidation)),
			sync.WithPruneLast(app.has(common.SyncOptionPruneLast)),
			sync.WithPrunePropagationPolicy(&foreground),
			sync.WithReplace(app.has(common.SyncOptionReplace)),
			sync.WithServerSideApply(app.has(common.SyncOptionServerSideApply)),
			sync.WithServerSideApplyManager(manager),
			sync.WithSyncWaveHook(func(_ common.SyncPhase, wave int, _ bool) error {
				said.Waves = append(said.Waves, wave)
				return nil
			}),
		)
		if err != nil {
			return nil, err
		}
		operation.Sync()
		phase, message, results = operation.GetState()
		cleanup()
		if phase.Completed() || time.Now().After(deadline) {
			said.Phase, said.Message = string(phase), message
			return results, nil
		}
		time.Sleep(500 * time.Millisecond)
		if state, err = app.state(); err != nil {
			return nil, err
		}
	}
}

func (app *controller) awaitHealth(deadline time.Time) (map[string]*health.HealthStatus, error) {
	for {
		state, err := app.state()
		if err != nil {
			return nil, err
		}
		found := map[string]*health.HealthStatus{}
		under, degraded := 0, 0
		for index, target := range state.Target {
			if target == nil {
				continue
			}
			said := &health.HealthStatus{Status: health.HealthStatusMissing}
			if live := state.Live[index]; live != nil {
				if said, err = health.GetResourceHealth(live, app.Settings); err != nil {
					return nil, err
				}
			}
			found[nameOf(target)] = said
			switch said.Status {
			case health.HealthStatusProgressing, health.HealthStatusMissing:
				under++
			case health.HealthStatusDegraded:
				degraded++
			}
		}
		if under == 0 || degraded > 0 || time.Now().After(deadline) {
			return found, nil
		}
		time.Sleep(500 * time.Millisecond)
	}
}

func (app *controller) has(option string) bool {
	return slices.Contains(app.Application.Spec.SyncPolicy.SyncOptions, option)
}

func nameOf(object *unstructured.Unstructured) string {
	return object.GetKind() + "/" + object.GetName()
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
