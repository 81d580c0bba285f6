// millrace.cli.frame: what every command of the program has in common.
export module millrace.cli.frame;

export import :answer;
export import :arguments;
export import :command;
export import :completion;
export import :help;
export import :man;
export import :printing;
export import :program;
export import :text;
