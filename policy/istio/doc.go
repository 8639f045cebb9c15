// Package istio reads the policies of an Istio mesh from the YAML files in which a team keeps them, and enforces them
// in process, so that the files move over unchanged when the sidecars go.
//
//	framework.New("orders", framework.WithPolicySource(istio.Dir("/etc/mesh", istio.Workload{
//		Namespace: "shop",
//		Labels:    map[string]string{"app": "orders"},
//		Services:  []string{"orders"},
//	})))
//
// # What is read
//
// Files end in .yaml, .yml or .json, at any depth below the folder. A file may hold several documents, and lists as
// kubectl writes them. AuthorizationPolicy is enforced, in the versions v1, v1beta1 and v1alpha3. The
// jwtRules of RequestAuthentication say whose tokens of users are accepted, and where they come. PeerAuthentication is
// checked: what is less than STRICT is refused by name. VirtualService, DestinationRule, GRPCRoute and HTTPRoute narrow
// the calls of the program's clients by the host that they call; what of them has no meaning here is noted. Whatever
// else lies in the folder is skipped by name. A key that Istio does not know, a key that is stated twice, a value of
// the wrong type and an empty list are mistakes; all of them are reported at once, each as a [Mistake] with its place.
//
// # What it means
//
// A policy counts for a workload as Istio counts it: those of the root namespace and of the workload's own, as far as
// their selectors match its labels. One that matches by targetRefs counts where the target is a Service of the
// workload, or a waypoint that stood before it. DENY is asked before ALLOW; where any ALLOW policy counts, one of their
// rules must match.
//
// The policies only narrow. A call passes if the .proto, the program's code, its configuration and the mesh's policies
// all let it pass. Where nothing but an ALLOW policy decides about a method, it is open to every caller with a proven
// identity that a rule matches. Where nothing decides at all, the server does not start, although Istio would let every
// caller in; Workload.AllowByDefault, or compat: istio in the configuration, takes Istio's word for it.
//
// An attribute that this process cannot know never helps a caller: an ALLOW rule that asks for it does not match, and a
// DENY rule does. What it can never know, such as the SNI that a sidecar chose, is refused when the files are read.
//
// # Names
//
// The principal cluster.local/ns/shop/sa/orders is the workload spiffe://<trust domain>/ns/shop/sa/orders. As in Istio,
// cluster.local stands for the trust domain of the server, and so does each of Workload.TrustDomainAliases.
// request.auth.* is about the end user's token, never about the token by which a workload proves itself.
package istio
