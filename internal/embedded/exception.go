package embedded

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
)

// exceptionError is an error of our own in the form of ClickHouse's, which
// clients parse.
type exceptionError struct {
	code          int
	name, message string
}

func (e *exceptionError) Error() string {
	return fmt.Sprintf("Code: %d. DB::Exception: %s. (%s)", e.code, e.message, e.name)
}

func exceptionf(code int, name, format string, args ...any) error {
	return &exceptionError{code, name, fmt.Sprintf(format, args...)}
}

// exceptionCode finds the code in the text of the engine's errors.
var exceptionCode = regexp.MustCompile(`Code: (\d+)\.`)

// unknownException is ClickHouse's code for what has none.
const unknownException = 1002

// asException is err with a code, which it gets if it has none.
func asException(err error) (code int, text string) {
	text = err.Error()
	if m := exceptionCode.FindStringSubmatch(text); m != nil {
		if code, err := strconv.Atoi(m[1]); err == nil {
			return code, text
		}
	}
	if errors.Is(err, context.Canceled) {
		return 394, exceptionf(394, "QUERY_WAS_CANCELLED", "%s", text).Error()
	}
	return unknownException, exceptionf(unknownException, "UNKNOWN_EXCEPTION", "%s", text).Error()
}

// exceptionStatus is the HTTP status that a real server answers with.
func exceptionStatus(code int) int {
	switch code {
	case 6, 26, 27, 33, 36, 38, 41, 42, 43, 44, 46, 53, 62, 70, 72, 73, 115, 117, 372, 457:
		return http.StatusBadRequest
	case 497, 516:
		return http.StatusForbidden
	case 16, 47, 60, 81:
		return http.StatusNotFound
	case 48:
		return http.StatusNotImplemented
	case 131:
		return http.StatusRequestEntityTooLarge
	case 159, 209:
		return http.StatusRequestTimeout
	case 164:
		return http.StatusMethodNotAllowed
	case 202, 373:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}
