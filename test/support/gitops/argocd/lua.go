package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/argoproj/gitops-engine/pkg/health"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// argocd-cm's data. An object is judged by its kind's script, in Argo CD's own Lua and with as few libraries as there
// (util/lua/lua.go); one without a script by what the engine knows of its kind, which for a foreign one is nothing.
type settings map[string]string

func (data settings) GetResourceHealth(object *unstructured.Unstructured) (*health.HealthStatus, error) {
	kind := object.GroupVersionKind()
	script, known := data[fmt.Sprintf("resource.customizations.health.%s_%s", kind.Group, kind.Kind)]
	if !known {
		return nil, nil
	}
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", valueOf(state, object.Object))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	returned, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return nil, fmt.Errorf("the script for %s gives no table", kind.Kind)
	}
	return &health.HealthStatus{
		Status:  health.HealthStatusCode(lua.LVAsString(returned.RawGetString("status"))),
		Message: lua.LVAsString(returned.RawGetString("message")),
	}, nil
}

func valueOf(state *lua.LState, value any) lua.LValue {
	switch typed := value.(type) {
	case bool:
		return lua.LBool(typed)
	case float64:
		return lua.LNumber(typed)
	case string:
		return lua.LString(typed)
	case json.Number:
		return lua.LString(typed)
	case int:
		return lua.LNumber(typed)
	case int32:
		return lua.LNumber(typed)
	case int64:
		return lua.LNumber(typed)
	case []any:
		table := state.CreateTable(len(typed), 0)
		for _, item := range typed {
			table.Append(valueOf(state, item))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(typed))
		for name, field := range typed {
			table.RawSetString(name, valueOf(state, field))
		}
		return table
	}
	return lua.LNil
}
