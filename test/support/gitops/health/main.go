// Says of objects what tools that know none of our kinds would: kstatus' own verdict, and what CEL makes of expressions.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type question struct {
	Object      json.RawMessage   `json:"object"`
	Expressions map[string]string `json:"expressions"`
}

type answer struct {
	Status  string            `json:"status"`
	Message string            `json:"message"`
	Values  map[string]bool   `json:"values"`
	Errors  map[string]string `json:"errors"`
}

func main() {
	var questions []question
	must(json.NewDecoder(os.Stdin).Decode(&questions))
	answers := make([]answer, 0, len(questions))
	for _, asked := range questions {
		answers = append(answers, judge(asked))
	}
	must(json.NewEncoder(os.Stdout).Encode(answers))
}

func judge(asked question) answer {
	var object unstructured.Unstructured
	must(object.UnmarshalJSON(asked.Object))
	result, err := status.Compute(&object)
	must(err)
	said := answer{Status: result.Status.String(), Message: result.Message, Values: map[string]bool{}, Errors: map[string]string{}}
	for name, expression := range asked.Expressions {
		value, err := evaluate(expression, object.Object)
		if err != nil {
			said.Errors[name] = err.Error()
			continue
		}
		said.Values[name] = value
	}
	return said
}

// The object's fields are variables, as Flux has it.
func evaluate(expression string, object map[string]any) (bool, error) {
	options := []cel.EnvOption{ext.Strings(), cel.OptionalTypes()}
	for name := range object {
		options = append(options, cel.Variable(name, cel.DynType))
	}
	environment, err := cel.NewEnv(options...)
	if err != nil {
		return false, err
	}
	compiled, issues := environment.Compile(expression)
	if issues.Err() != nil {
		return false, issues.Err()
	}
	program, err := environment.Program(compiled)
	if err != nil {
		return false, err
	}
	value, _, err := program.Eval(object)
	if err != nil {
		return false, err
	}
	decided, ok := value.Value().(bool)
	if !ok {
		return false, fmt.Errorf("%s is no yes or no", expression)
	}
	return decided, nil
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
