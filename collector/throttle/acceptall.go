package throttle

// AcceptAll are the rules of a door that was given none.
func AcceptAll() *Rules {
	r, err := Parse([]byte("rules: [{name: accept_everything, result: accept}]"))
	if err != nil {
		panic(err) // the text is constant
	}
	return r
}
