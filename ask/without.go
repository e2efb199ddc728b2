package ask

import "strings"

// notEqual stands before a value that a parameter of the filter leaves out, as in a search.
const notEqual = "!="

// Without is what a parameter of a question that restricts it to a value, as product, is given to
// leave that value out. Several are joined by line breaks.
func Without(value string) string { return notEqual + value }

// LeftOut are the values that a parameter of the filter leaves out; false when it does not.
func LeftOut(given string) (values []string, not bool) {
	rest, not := strings.CutPrefix(given, notEqual)
	if !not {
		return nil, false
	}
	return strings.Split(rest, "\n"+notEqual), true
}
