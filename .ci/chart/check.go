package main

import (
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

// check returns what does not fit among the objects: selectors that find no pod, ports that no container has, and
// containers that may do more, or hold less, than OPERATIONS.md says.
func check(objects []runtime.Object) error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	var pods []corev1.PodTemplateSpec
	for _, o := range objects {
		switch o := o.(type) {
		case *appsv1.Deployment:
			pods = append(pods, o.Spec.Template)
			if !selects(o.Spec.Selector, o.Spec.Template) {
				wrong("deployment %s does not select its own pods", o.Name)
			}
		case *batchv1.Job:
			pods = append(pods, o.Spec.Template)
		}
	}
	selected := func(s *metav1.LabelSelector, what string) (found []corev1.PodTemplateSpec) {
		for _, p := range pods {
			if selects(s, p) {
				found = append(found, p)
			}
		}
		if len(found) != 1 {
			wrong("%s selects the pods of %d programs, want one", what, len(found))
		}
		return found
	}
	for _, o := range objects {
		switch o := o.(type) {
		case *corev1.Service:
			found := selected(&metav1.LabelSelector{MatchLabels: o.Spec.Selector}, "service "+o.Name)
			for _, port := range o.Spec.Ports {
				if !hasPort(found, port.TargetPort.StrVal) {
					wrong("service %s: no container has port %s", o.Name, port.TargetPort.String())
				}
			}
		case *policyv1.PodDisruptionBudget:
			selected(o.Spec.Selector, "budget "+o.Name)
		case *networkingv1.NetworkPolicy:
			found := selected(&o.Spec.PodSelector, "policy "+o.Name)
			for _, rule := range o.Spec.Ingress {
				for _, port := range rule.Ports {
					if !hasPort(found, port.Port.StrVal) {
						wrong("policy %s: no container has port %s", o.Name, port.Port.String())
					}
				}
			}
		}
	}
	for _, p := range pods {
		errs = append(errs, checkPod(p))
	}
	if len(pods) != 3 {
		wrong("%d kinds of pods, want those of gateway, worker and migration", len(pods))
	}
	return errors.Join(errs...)
}

func selects(s *metav1.LabelSelector, p corev1.PodTemplateSpec) bool {
	selector, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && !selector.Empty() && selector.Matches(labels.Set(p.Labels))
}

func hasPort(pods []corev1.PodTemplateSpec, name string) bool {
	for _, p := range pods {
		for _, port := range p.Spec.Containers[0].Ports {
			if port.Name == name {
				return true
			}
		}
	}
	return false
}

// leastMemory is what OPERATIONS.md says that a process needs.
const leastMemory = "256Mi"

func checkPod(p corev1.PodTemplateSpec) error {
	var errs []error
	c := p.Spec.Containers[0]
	wrong := func(what string) { errs = append(errs, fmt.Errorf("container %s: %s", c.Name, what)) }
	is := func(set *bool, want bool) bool { return set != nil && *set == want }
	if pod := p.Spec.SecurityContext; pod == nil || !is(pod.RunAsNonRoot, true) || pod.SeccompProfile == nil {
		wrong("it may run as root, or without a seccomp profile")
	}
	if s := c.SecurityContext; s == nil || !is(s.ReadOnlyRootFilesystem, true) || !is(s.AllowPrivilegeEscalation, false) ||
		s.Capabilities == nil || len(s.Capabilities.Drop) != 1 {
		wrong("it may write to its image, or get more rights")
	}
	if limit := c.Resources.Limits.Memory(); limit.Cmp(resource.MustParse(leastMemory)) < 0 {
		wrong("memory is limited to less than " + leastMemory)
	}
	names := map[string]bool{}
	for _, e := range c.Env {
		if names[e.Name] || e.Value == "" {
			wrong(e.Name + " is there twice, or empty")
		}
		names[e.Name] = true
	}
	mounted := map[string]bool{}
	for _, v := range p.Spec.Volumes {
		mounted[v.Name] = true
	}
	for _, m := range c.VolumeMounts {
		if !mounted[m.Name] {
			wrong("there is no volume " + m.Name)
		}
	}
	return errors.Join(errs...)
}
