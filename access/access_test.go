package access

import "testing"

func TestRolesAreGivenEachForItself(t *testing.T) {
	if From(t.Context()).Can(Protected) {
		t.Error("the public has a role")
	}
	for _, given := range Roles {
		v := From(With(t.Context(), &Viewer{Name: "jane", Roles: []Role{given}}))
		for _, asked := range Roles {
			if v.Can(asked) != (asked == given) {
				t.Errorf("with %s: %s is %v", given, asked, v.Can(asked))
			}
		}
	}
}
