// Calls a live server with net/rpc and the MessagePack codec of github.com/ugorji/go. Argument: the address.
package main

import (
	"fmt"
	"net"
	"net/rpc"
	"os"
	"reflect"
	"strings"

	"github.com/ugorji/go/codec"
)

type arguments = codec.MsgpackSpecRpcMultiArgs

func expect(what string, found, wanted interface{}) {
	if !reflect.DeepEqual(found, wanted) {
		fmt.Fprintf(os.Stderr, "%s: %#v instead of %#v\n", what, found, wanted)
		os.Exit(1)
	}
}

func connect(address string, modern bool) *rpc.Client {
	parts := strings.SplitN(address, "://", 2)
	connection, err := net.Dial(parts[0], parts[1])
	expect("connecting", err, nil)
	handle := new(codec.MsgpackHandle)
	handle.RawToString = true
	handle.WriteExt = modern // false: the older MessagePack, without bin and str8
	return rpc.NewClientWithCodec(codec.MsgpackSpecRpc.ClientCodec(connection, handle))
}

func errorOf(client *rpc.Client, method string, params ...interface{}) string {
	var result interface{}
	err := client.Call(method, arguments(params), &result)
	if err == nil {
		fmt.Fprintf(os.Stderr, "%s did not fail\n", method)
		os.Exit(1)
	}
	return err.Error()
}

func play(client *rpc.Client) {
	var sum int64
	expect("call", client.Call("add", arguments{2, 3}, &sum), nil)
	expect("value", sum, int64(5))
	var text string
	expect("call", client.Call("join", arguments{"hé", "llo"}, &text), nil)
	expect("text", text, "héllo")
	var values []interface{}
	expect("call", client.Call("collect", arguments{nil, true, -1, 1.5, "a"}, &values), nil)
	expect("values", values, []interface{}{nil, true, int64(-1), 1.5, "a"})
	expect("error", errorOf(client, "divide", 1, 0), "division by zero")
	expect("unknown method", errorOf(client, "nobody"), "no such method: 'nobody'")
	expect("wrong arguments", errorOf(client, "add", 1), "takes 2 arguments, got 1")
	expect("wrong type", strings.HasPrefix(errorOf(client, "add", 1, "two"), "field b: "), true)

	// The codec has no notifications: `log` is called.
	expect("no result", client.Call("log", arguments{"one", 1}, &values), nil)

	const count = 50
	var sums, held [count]int64
	var adds, holds [count]*rpc.Call
	for i := range holds {
		holds[i] = client.Go("hold", arguments{i}, &held[i], nil)
	}
	for i := range adds {
		adds[i] = client.Go("add", arguments{i, 1}, &sums[i], nil)
	}
	for i := range adds {
		expect("in flight", (<-adds[i].Done).Error, nil)
		expect("in flight", sums[i], int64(i+1))
	}
	for i := count - 1; i >= 0; i-- {
		expect("let go", client.Call("let_go", arguments{i}, &values), nil)
	}
	for i := range holds {
		expect("held", (<-holds[i].Done).Error, nil)
		expect("held", held[i], int64(i))
	}

	const size = 3000000
	var length int64
	expect("call", client.Call("measure", arguments{strings.Repeat("x", size)}, &length), nil)
	expect("big argument", length, int64(size))
	expect("call", client.Call("make", arguments{size}, &text), nil)
	expect("big result", text == strings.Repeat("x", size), true)
}

func main() {
	for _, modern := range []bool{false, true} {
		client := connect(os.Args[1], modern)
		play(client)
		expect("closing", client.Close(), nil)
	}
}
