// Command chart checks the Helm chart: it lints it, renders it with each file of values in its folder ci, reads every
// object strictly as its Kubernetes type, and holds the objects against each other and against what OPERATIONS.md promises.
//
//	go run -C .ci/chart . ../../shared/deploy/chart
//
// It is a module of its own, so that the product's go.mod needs neither Helm nor Kubernetes.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	"helm.sh/helm/v3/pkg/releaseutil"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
)

// kubeVersion is what the chart is rendered for.
const kubeVersion = "v1.33.0"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: chart FOLDER")
		os.Exit(2)
	}
	log.SetOutput(io.Discard) // Helm tells there of each link that it follows
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "ci", "*-values.yaml"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no values in %s/ci: %w", dir, err)
	}
	var errs []error
	for _, file := range files {
		values, err := chartutil.ReadValuesFile(file)
		if err != nil {
			return err
		}
		for _, m := range lint.AllWithKubeVersion(dir, values, "default", &chartutil.KubeVersion{
			Version: kubeVersion, Major: "1", Minor: "33"}).Messages {
			if m.Severity >= support.WarningSev {
				errs = append(errs, fmt.Errorf("%s: lint: %w", file, m.Err))
			}
		}
		objects, err := render(dir, values)
		if err == nil {
			err = check(objects)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
		}
		fmt.Printf("%s: %d objects\n", filepath.Base(file), len(objects))
	}
	return errors.Join(append(errs, refused(dir))...)
}

// render returns the chart's objects with these values.
func render(dir string, values chartutil.Values) (objects []runtime.Object, err error) {
	chart, err := loader.Load(dir)
	if err != nil {
		return nil, err
	}
	caps := chartutil.DefaultCapabilities.Copy()
	caps.KubeVersion = chartutil.KubeVersion{Version: kubeVersion, Major: "1", Minor: "33"}
	all, err := chartutil.ToRenderValues(chart, values, chartutil.ReleaseOptions{Name: "lg", Namespace: "leads",
		IsInstall: true}, caps)
	if err != nil {
		return nil, err
	}
	texts, err := engine.Render(chart, all)
	if err != nil {
		return nil, err
	}
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	for name, text := range texts {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		for _, document := range releaseutil.SplitManifests(text) {
			object, _, err := decoder.Decode([]byte(document), nil, nil)
			switch {
			case runtime.IsNotRegisteredError(err):
				fmt.Printf("%s: not checked: %v\n", name, err)
			case err != nil:
				return nil, fmt.Errorf("%s: %w", name, err)
			default:
				objects = append(objects, object)
			}
		}
	}
	return objects, nil
}

// refused returns what the chart takes though it must not.
func refused(dir string) error {
	least := func(change func(values map[string]any)) chartutil.Values {
		values := map[string]any{"image": map[string]any{"repository": "x"}, "secrets": map[string]any{"existingSecret": "y"}}
		change(values)
		return values
	}
	var errs []error
	for what, values := range map[string]chartutil.Values{
		"no image":         least(func(v map[string]any) { delete(v, "image") }),
		"no secret":        least(func(v map[string]any) { delete(v, "secrets") }),
		"a mistyped name":  least(func(v map[string]any) { v["gateway"] = map[string]any{"replica": 3} }),
		"a mistyped env":   least(func(v map[string]any) { v["env"] = map[string]any{"log-level": "debug"} }),
		"an ingress alone": least(func(v map[string]any) { v["ingress"] = map[string]any{"enabled": true} }),
	} {
		if _, err := render(dir, values); err == nil {
			errs = append(errs, fmt.Errorf("the chart takes %s", what))
		}
	}
	return errors.Join(errs...)
}
