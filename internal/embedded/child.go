package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rs/zerolog"
)

const (
	readyInterval       = 50 * time.Millisecond
	defaultReadyTimeout = 30 * time.Second
	defaultStopTimeout  = 20 * time.Second
	minRestartDelay     = 200 * time.Millisecond
	maxRestartDelay     = 10 * time.Second
	// outputDelay is how long a dead child's output may be held open by its
	// own children.
	outputDelay = 2 * time.Second
)

// errStopped is how a run ends that Stop has ended.
var errStopped = errors.New("stopped")

// ChildOptions configure Start. Name and Exe are required.
type ChildOptions struct {
	Name string   // in logs and errors
	Exe  string   // os.Executable() for a verb of our own
	Args []string // without the program's name
	Env  []string // added to this process's environment
	// Ready is called again and again until it answers nil; nil means ready at
	// once. Each call gets a context that ends with the deadline.
	Ready func(ctx context.Context) error
	// ReadyTimeout bounds one start; 0 means 30 s.
	ReadyTimeout time.Duration
	// StopTimeout is the time between SIGTERM and SIGKILL; 0 means 20 s.
	StopTimeout time.Duration
	// Log gets the child's output line by line, its deaths and restarts.
	Log zerolog.Logger
}

// Child is a process that is restarted when it dies. It is safe for concurrent use.
type Child struct {
	o      ChildOptions
	pid    atomic.Int64
	failed chan error
	stop   chan struct{} // closed by Stop
	kill   chan struct{} // closed when Stop's patience ends
	done   chan struct{} // closed when no process is left and none will be started

	stopOnce, killOnce sync.Once
}

// Start runs the child and waits until it is ready. A child that dies or is
// not ready in time at its first start is an error, and no process is left;
// later deaths are logged and lead to a restart. ctx bounds the start only.
//
// The child is killed by the kernel when this process dies, and has a process
// group of its own: a Ctrl-C in the terminal reaches only the parent, which can
// drain first.
func Start(ctx context.Context, o ChildOptions) (*Child, error) {
	if o.ReadyTimeout <= 0 {
		o.ReadyTimeout = defaultReadyTimeout
	}
	if o.StopTimeout <= 0 {
		o.StopTimeout = defaultStopTimeout
	}
	if o.Ready == nil {
		o.Ready = func(context.Context) error { return nil }
	}
	o.Log = o.Log.With().Str("child", o.Name).Logger()
	c := &Child{
		o:      o,
		failed: make(chan error, 1),
		stop:   make(chan struct{}),
		kill:   make(chan struct{}),
		done:   make(chan struct{}),
	}
	started := make(chan error, 1)
	go c.supervise(started)
	select {
	case err := <-started:
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.Name, err)
		}
		return c, nil
	case <-ctx.Done():
		c.killOnce.Do(func() { close(c.kill) })
		c.stopOnce.Do(func() { close(c.stop) })
		<-c.done
		return nil, fmt.Errorf("%s: start: %w", o.Name, ctx.Err())
	}
}

// PID is the process id of the present run, 0 between two runs.
func (c *Child) PID() int { return int(c.pid.Load()) }

// Failed delivers one error when the child has been given up. It never closes.
func (c *Child) Failed() <-chan error { return c.failed }

// Stop ends the child: SIGTERM, then SIGKILL to its process group when it has
// not gone after StopTimeout or when ctx ends. It returns when the process is
// gone, with an error only if it had to be killed. Stopping twice is fine.
func (c *Child) Stop(ctx context.Context) error {
	c.stopOnce.Do(func() { close(c.stop) })
	timeout := time.NewTimer(c.o.StopTimeout)
	defer timeout.Stop()
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
	case <-timeout.C:
	}
	c.killOnce.Do(func() { close(c.kill) })
	<-c.done
	return fmt.Errorf("%s: did not stop on SIGTERM and was killed", c.o.Name)
}

// supervise runs the child until it is stopped or given up. started gets the
// outcome of the first start.
func (c *Child) supervise(started chan<- error) {
	// The kernel sends the death signal when the thread that forked ends, not
	// the process. This goroutine keeps its thread for as long as there is a
	// child; it is never unlocked, so that the thread ends with it.
	runtime.LockOSThread()
	defer close(c.done)

	quickDeaths, delay := 0, minRestartDelay
	for first := true; ; first = false {
		begun, ready := time.Now(), false
		err := c.run(func() {
			ready = true
			if first {
				started <- nil
			}
		})
		if errors.Is(err, errStopped) {
			return
		}
		if first && !ready {
			started <- err
			return
		}
		if time.Since(begun) >= quickDeath {
			quickDeaths, delay = 0, minRestartDelay
		}
		quickDeaths++
		if quickDeaths >= maxQuickDeaths {
			c.failed <- fmt.Errorf("%s: died %d times in a row soon after its start: %w", c.o.Name, quickDeaths, err)
			return
		}
		c.o.Log.Error().Err(err).Dur("restart_in_ms", delay).Msg("child died")
		select {
		case <-c.stop:
			return
		case <-time.After(delay):
		}
		delay = min(delay*2, maxRestartDelay)
	}
}

// run starts the process, calls ready once it is ready and returns when it is
// gone: errStopped, or why it died.
func (c *Child) run(ready func()) error {
	cmd := exec.Command(c.o.Exe, c.o.Args...) //nolint:gosec,noctx // the caller's own executable; ended by Stop, with SIGTERM first
	cmd.Env = append(os.Environ(), c.o.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = outputDelay
	stdout := &lineLog{log: c.o.Log, stream: "stdout"}
	stderr := &lineLog{log: c.o.Log, stream: "stderr"}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	c.pid.Store(int64(cmd.Process.Pid))
	defer c.pid.Store(0)
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()

	ctx, cancel := context.WithTimeout(context.Background(), c.o.ReadyTimeout)
	defer cancel()
	readiness := make(chan error, 1)
	go func() { readiness <- pollReady(ctx, c.o.Ready) }()

	for {
		select {
		case err := <-readiness:
			readiness = nil
			if err != nil {
				c.killGroup(cmd)
				<-exited
				return fmt.Errorf("not ready after %s: %w%s", c.o.ReadyTimeout, err, stderr.tail())
			}
			c.o.Log.Debug().Int("pid", cmd.Process.Pid).Dur("took_ms", time.Since(begun)).Msg("child is ready") // it says so itself
			ready()
		case err := <-exited:
			c.killGroup(cmd) // what it may have left behind
			if err == nil {
				err = errors.New("exit status 0")
			}
			return fmt.Errorf("%w%s", err, stderr.tail())
		case <-c.stop:
			c.end(cmd, exited)
			return errStopped
		}
	}
}

// end asks the process to go and waits for it, until kill is closed.
func (c *Child) end(cmd *exec.Cmd, exited <-chan error) {
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		c.o.Log.Debug().Err(err).Msg("child has gone before SIGTERM")
	}
	select {
	case <-exited:
	case <-c.kill:
		c.killGroup(cmd)
		<-exited
	}
}

// killGroup kills the child's process group. That none is left is no error.
func (c *Child) killGroup(cmd *exec.Cmd) {
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		c.o.Log.Warn().Err(err).Msg("child's process group could not be killed")
	}
}

// pollReady calls ready until it answers nil or ctx ends; then the answer is
// the last error of ready, which says more than that time is up.
func pollReady(ctx context.Context, ready func(context.Context) error) error {
	ticker := time.NewTicker(readyInterval)
	defer ticker.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}
