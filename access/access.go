// Package access says who somebody is and what they may see.
//
// A Viewer travels in a request's context. Whoever has none there is the public: it sees what
// everybody may see, and nothing here has to be asked for that.
//
// Login (login.go) finds the viewer of a request: by the token that it bears, or by the session
// in its cookie. Viewers are those of a file (users.go), or an OIDC provider's (oidc.go). What
// they see of what is protected, an Audit keeps (audit.go) before it is shown.
package access

import (
	"context"
	"slices"
)

// Role is what a viewer may do. There is no order among roles: each is given for itself.
type Role string

// The roles. What is public needs none.
const (
	// Protected: values of protected fields: URLs, comments, addresses, annotations.
	Protected Role = "protected"
	// Dumps: a crash's dump, with the memory in it.
	Dumps Role = "dumps"
	// Rules: to try rules on crashes.
	Rules Role = "rules"
	// Operator: to start, promote and roll back versions, and to have crashes made again.
	Operator Role = "operator"
	// Auditor: who read what.
	Auditor Role = "auditor"
	// Bugs: to load which bugs are about which signatures.
	Bugs Role = "bugs"
)

// Roles are all of them.
var Roles = []Role{Protected, Dumps, Rules, Operator, Auditor, Bugs}

// Viewer is somebody who has said who they are.
type Viewer struct {
	Name  string // unique; what audit events have
	Roles []Role
	By    string // how they said so: session, or token and its id
}

// Can tells whether the viewer has a role. The public, a nil viewer, has none.
func (v *Viewer) Can(r Role) bool { return v != nil && slices.Contains(v.Roles, r) }

type viewerKey struct{}

// With is a context of a request of a viewer.
func With(ctx context.Context, v *Viewer) context.Context {
	return context.WithValue(ctx, viewerKey{}, v)
}

// From is the viewer of a request; nil is the public.
func From(ctx context.Context) *Viewer {
	v, _ := ctx.Value(viewerKey{}).(*Viewer)
	return v
}
