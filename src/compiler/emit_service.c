/* The C of services. A method has a handler of one of these types, by who streams; the runtime calls it through a thunk
 * (brine_invoke_fn). Items that stream go through the method's other functions.
 *   nobody       int (*m)(struct brine_request *request, const struct Q *message, struct R *response, void *user)
 *   the caller   int (*m)(struct brine_request *request, struct R *response, void *user)
 *   the callee   int (*m)(struct brine_request *request, const struct Q *message, void *user)
 *   both         int (*m)(struct brine_request *request, void *user) */
#include "compiler/emit.h"

/* What a method can be. Its functions depend on that alone. */
enum form {
	UNARY = 1,
	UPLOAD = 2,   /* the caller streams */
	DOWNLOAD = 4, /* the callee streams */
	BOTH = 8,
	NOTICE = 16, /* UNARY, and its response has no fields: may be sent as a notification */
};

/* In the texts $Q is the C name of the request message, $R of the response, $M the method's descriptor. */
struct stub {
	unsigned forms; /* that have it, or-ed */
	const char *suffix;
	const char *comment; /* NULL: the schema's; "": none */
	const char *parameters;
	const char *body;
};

/* In the order of the header. */
static const struct stub stubs[] = {
        {UNARY, "", NULL,
         "struct brine_client *client, struct brine_call *call,\n\tconst struct $Q *request, struct $R *response",
         "return brine_client_call(client, call, $M, request, response);"},
        {UNARY, "_begin", "The same in two steps, as brine_client_begin() and brine_call_finish().",
         "struct brine_client *client, struct brine_call *call,\n\tconst struct $Q *request",
         "return brine_client_begin(client, call, $M, request);"},
        {UNARY, "_finish", "", "struct brine_call *call, struct $R *response",
         "return brine_call_finish_as(call, $M, response);"},
        {NOTICE, "_notify", "The same without waiting for an answer.",
         "struct brine_client *client, struct brine_call *call,\n\tconst struct $Q *request",
         "return brine_client_notify(client, call, $M, request);"},
        {UPLOAD | BOTH, "_open", NULL, "struct brine_client *client, struct brine_call *call",
         "return brine_client_begin(client, call, $M, NULL);"},
        {DOWNLOAD, "_open", NULL, "struct brine_client *client, struct brine_call *call,\n\tconst struct $Q *request",
         "return brine_client_begin(client, call, $M, request);"},
        {UPLOAD | BOTH, "_send", "Sends an item, as brine_call_send(). brine_call_end_upload() ends them.",
         "struct brine_call *call, const struct $Q *item", "return brine_call_send_as(call, $M, item);"},
        {DOWNLOAD | BOTH, "_next", "Takes the next item, as brine_call_next(): 1, or 0 at the end.",
         "struct brine_call *call, struct $R *item", "return brine_call_next_as(call, $M, item);"},
        {UPLOAD, "_close", "Ends the upload and waits for the response, as brine_call_finish().",
         "struct brine_call *call, struct $R *response", "return brine_call_finish_as(call, $M, response);"},
        {DOWNLOAD | BOTH, "_close", "Ends the call, as brine_call_finish(): cancels it where items are left.",
         "struct brine_call *call", "return brine_call_finish_as(call, $M, NULL);"},
        {UPLOAD | BOTH, "_request_next",
         "For its handler: takes the next item, as brine_request_next(): 1, or 0 at the end.",
         "struct brine_request *request, struct $Q *item", "return brine_request_next_as(request, $M, item);"},
        {DOWNLOAD | BOTH, "_request_send", "For its handler: sends an item, as brine_request_send().",
         "struct brine_request *request, const struct $R *item", "return brine_request_send_as(request, $M, item);"},
        {UNARY | UPLOAD, "_reply", "Answers a call whose handler returned BRINE_PENDING.",
         "struct brine_request *request, const struct $R *response",
         "return brine_request_reply_as(request, $M, response);"},
        {DOWNLOAD | BOTH, "_reply", "Ends the items of a call whose handler returned BRINE_PENDING.",
         "struct brine_request *request", "return brine_request_reply_as(request, $M, NULL);"},
};

/* Handlers and what their thunks do, by form. */
static const struct {
	const char *parameters, *unused, *arguments;
} handlers[] = {
        [UNARY] = {"struct brine_request *request, const struct $Q *message, struct $R *response,\n\t\tvoid *user", "",
                   "request, message, response, user"},
        [UPLOAD] = {"struct brine_request *request, struct $R *response, void *user", "\t(void)message;\n",
                    "request, response, user"},
        [DOWNLOAD] = {"struct brine_request *request, const struct $Q *message, void *user", "\t(void)response;\n",
                      "request, message, user"},
        [BOTH] = {"struct brine_request *request, void *user", "\t(void)message;\n\t(void)response;\n",
                  "request, user"},
};

/* One of UNARY, UPLOAD, DOWNLOAD, BOTH. */
static enum form form_of(const struct schema_method *method)
{
	switch (method->flags & (BRINE_METHOD_UPLOAD | BRINE_METHOD_DOWNLOAD)) {
	case 0: return UNARY;
	case BRINE_METHOD_UPLOAD: return UPLOAD;
	case BRINE_METHOD_DOWNLOAD: return DOWNLOAD;
	default: return BOTH;
	}
}

static bool has(const struct schema_method *method, const struct stub *stub)
{
	unsigned form = form_of(method);
	if (form == UNARY && method->output->field_count == 0)
		form |= NOTICE;
	return (stub->forms & form) != 0;
}

/* Writes a text, and for $Q, $R and $M what they stand for. */
static void emit_template(struct text *text, const char *template, const struct schema_method *method)
{
	const struct schema_service *service = method->service;
	for (const char *mark; (mark = strchr(template, '$')) != NULL; template = mark + 2) {
		text_printf(text, "%.*s", (int)(mark - template), template);
		if (mark[1] == 'M')
			text_printf(text, "&%s_methods[%zu]", service->decl.c_name,
			            (size_t)(method - service->methods));
		else
			text_printf(text, "%s", (mark[1] == 'Q' ? method->input : method->output)->decl.c_name);
	}
	text_printf(text, "%s", template);
}

static void emit_signature(struct text *text, const struct stub *stub, const struct schema_method *method)
{
	text_printf(text, "int %s%s(", method->decl.c_name, stub->suffix);
	emit_template(text, stub->parameters, method);
	text_printf(text, ")");
}

static void emit_declarations(struct text *text, const struct schema_method *method)
{
	text_printf(text, "\n");
	for (size_t i = 0; i < sizeof stubs / sizeof stubs[0]; i++) {
		const struct stub *stub = &stubs[i];
		if (!has(method, stub))
			continue;
		if (!stub->comment)
			emit_comment(text, &method->decl);
		else if (stub->comment[0])
			text_printf(text, "/* %s */\n", stub->comment);
		emit_signature(text, stub, method);
		text_printf(text, ";\n");
	}
}

static void emit_definitions(struct text *text, const struct schema_method *method)
{
	for (size_t i = 0; i < sizeof stubs / sizeof stubs[0]; i++) {
		if (!has(method, &stubs[i]))
			continue;
		text_printf(text, "\n");
		emit_signature(text, &stubs[i], method);
		text_printf(text, "\n{\n\t");
		emit_template(text, stubs[i].body, method);
		text_printf(text, "\n}\n");
	}
}

static void emit_handlers(struct text *text, const struct schema_service *service)
{
	text_printf(text, "\n");
	emit_comment(text, &service->decl);
	text_printf(text, "struct %s_handlers {\n", service->decl.c_name);
	for (size_t i = 0; i < service->method_count; i++) {
		const struct schema_method *method = &service->methods[i];
		text_printf(text, "\tint (*%s)(", method->member);
		emit_template(text, handlers[form_of(method)].parameters, method);
		text_printf(text, ");\n");
	}
	if (service->method_count == 0)
		text_printf(text, "\tchar unused; /* C has no empty structs */\n");
	text_printf(text, "};\n");
}

/* Who can have the handlers: servers, and clients where nothing streams. */
static const struct {
	const char *suffix, *owner, *comment;
	bool streams;
} registrars[] = {
        {"serve", "server", "Registers the handlers, as brine_server_serve(): NULL ones answer \"no such method\".",
         true},
        {"client_serve", "client", "The same for calls that the server makes to a client, as brine_client_serve().",
         false},
};

static bool streams(const struct schema_service *service)
{
	for (size_t i = 0; i < service->method_count; i++)
		if (form_of(&service->methods[i]) != UNARY)
			return true;
	return false;
}

static void emit_registrar(struct text *text, const struct schema_service *service, size_t which, const char *before,
                           const char *body)
{
	const char *name = service->decl.c_name, *owner = registrars[which].owner;
	text_printf(text,
	            "%sint %s_%s(struct brine_%s *%s, const struct %s_handlers *handlers, void *user,\n"
	            "\tstruct brine_error *error)%s",
	            before, name, registrars[which].suffix, owner, owner, name, body);
}

void emit_service_header(struct text *text, const struct schema_service *service)
{
	const char *name = service->decl.c_name;
	text_printf(text, "\n/* Service %s. */\nextern const struct brine_service %s_service;\n",
	            service->decl.full_name, name);
	for (size_t i = 0; i < service->method_count; i++)
		emit_declarations(text, &service->methods[i]);
	emit_handlers(text, service);
	for (size_t i = 0; i < sizeof registrars / sizeof registrars[0]; i++) {
		if (streams(service) && !registrars[i].streams)
			continue;
		text_printf(text, "\n/* %s */\n", registrars[i].comment);
		emit_registrar(text, service, i, "", ";\n");
	}
}

static void emit_invoke(struct text *text, const struct schema_method *method)
{
	enum form form = form_of(method);
	text_printf(text,
	            "\nstatic int invoke_%s(const void *handlers, struct brine_request *request, const void *message,\n"
	            "\tvoid *response, void *user)\n{\n"
	            "\tconst struct %s_handlers *table = handlers;\n"
	            "%s\treturn table && table->%s ? table->%s(%s) : BRINE_ERR_NO_METHOD;\n}\n",
	            method->decl.c_name, method->service->decl.c_name, handlers[form].unused, method->member,
	            method->member, handlers[form].arguments);
}

static void emit_flags(struct text *text, uint32_t flags)
{
	static const char *const names[] = {"UPLOAD", "DOWNLOAD", "BLOCKING", "IDEMPOTENT"};
	const char *before = "";
	for (unsigned bit = 0; bit < sizeof names / sizeof names[0]; bit++) {
		if (flags & 1u << bit) {
			text_printf(text, "%sBRINE_METHOD_%s", before, names[bit]);
			before = " | ";
		}
	}
	text_printf(text, "%s", flags ? "" : "0");
}

static void emit_methods(struct text *text, const struct schema_service *service)
{
	text_printf(text, "\nstatic const struct brine_method %s_methods[] = {\n", service->decl.c_name);
	for (size_t i = 0; i < service->method_count; i++) {
		const struct schema_method *method = &service->methods[i];
		text_printf(text, "\t{");
		text_literal(text, method->wire_name);
		text_printf(text, ", &%s_type, &%s_type,\n\t ", method->input->decl.c_name,
		            method->output->decl.c_name);
		emit_flags(text, method->flags);
		text_printf(text, ", invoke_%s},\n", method->decl.c_name);
	}
	text_printf(text, "};\n");
}

void emit_service_source(struct text *text, const struct schema_service *service)
{
	const char *name = service->decl.c_name;
	for (size_t i = 0; i < service->method_count; i++)
		emit_invoke(text, &service->methods[i]);
	if (service->method_count) {
		emit_methods(text, service);
		text_printf(text, "const struct brine_service %s_service = {BRINE_ABI, \"%s\", %s_methods, %zu};\n",
		            name, service->decl.full_name, name, service->method_count);
	} else {
		text_printf(text, "\nconst struct brine_service %s_service = {BRINE_ABI, \"%s\", NULL, 0};\n", name,
		            service->decl.full_name);
	}
	for (size_t i = 0; i < service->method_count; i++)
		emit_definitions(text, &service->methods[i]);
	for (size_t i = 0; i < sizeof registrars / sizeof registrars[0]; i++) {
		const char *owner = registrars[i].owner;
		if (streams(service) && !registrars[i].streams)
			continue;
		emit_registrar(text, service, i, "\n", "\n{\n");
		text_printf(text, "\treturn brine_%s_serve(%s, &%s_service, handlers, user, error);\n}\n", owner, owner,
		            name);
	}
}
