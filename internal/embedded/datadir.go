package embedded

// LockDir makes a data directory, if it does not exist, and keeps every other
// process that asks for its lock out until release is called or this process
// ends. The error is a *LockedError when another process holds it.
func LockDir(dir string) (release func() error, err error) {
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	return lock.release, nil
}
