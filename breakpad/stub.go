package breakpad

type (
	fileName    struct{}
	function    struct{}
	line        struct{}
	inlineRange struct{}
	origin      struct{}
	public      struct{}
	cfiRange    struct{}
	cfiRow      struct{}
)
