using System.CommandLine;
using System.Runtime.InteropServices;
using Ingot.Chat;
using Ingot.Generation;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot chat`: a conversation with a model.</summary>
internal static class ChatCommand
{
    private const string Commands = """
        /undo          takes the last message and its answer back
        /retry         lets the last message be answered again, with other draws
        /reset         starts anew
        /system TEXT   says what part the model has, and starts anew
        /save FILE     writes the conversation, as JSONL of messages
        /help          shows this
        /exit          ends, as the end of the input does
        """;

    public static Command Create()
    {
        var model = new Option<string>("--model") { Description = ModelFolder.Description, Required = true, HelpName = "dir" };
        Option<string?> adapter = AdapterOption.Create();
        var template = new Option<string?>("--chatTemplate")
        {
            Description = "How the model knows conversations: a file *.jinja, or one of "
                + $"{string.Join(", ", ChatTemplate.BuiltInNames)}. [default: the model's own]",
            HelpName = "name",
        };
        var system = new Option<string?>("--system")
        {
            Description = "What is said ahead of the conversation about the model's part.",
            HelpName = "text",
        };
        var settings = GenerationSettings.ForPrompts();
        Option<string> precision = PrecisionOption.Create();
        Option<string> device = DeviceOption.Create();
        var command = new Command("chat", "Talk with a model.") { model, adapter, template, system };
        settings.AddTo(command);
        command.Add(precision);
        command.Add(device);
        var kernels = new KernelOption();
        kernels.AddTo(command);
        command.SetAction(result =>
        {
            settings.Apply(new GenerationOptions(), result);
            string folder = ModelFolder.Find(result.GetRequiredValue(model));
            ChatTemplate chat = FindTemplate(folder, result.GetValue(template));
            using TextGenerator generator = TextGenerator.Load(folder, PrecisionOption.Find(result.GetRequiredValue(precision)),
                DeviceOption.Find(result.GetRequiredValue(device)), AdapterOption.Find(result.GetValue(adapter)), kernels.Read(result));
            GenerateCommand.WriteWarnings(generator, folder);
            Talk(new ChatSession(generator, chat, settings.Apply(generator.Options, result), result.GetValue(system)));
        });
        HelpPage.Describe(command, """
            ingot chat --model models/qwen
            ingot chat --model runs/dialogue --chatTemplate chatml --system "You answer briefly."
            echo "Who are you?" | ingot chat --model models/qwen --doSample false
            """, writer =>
        {
            writer.WriteLine("In the conversation (a line that ends with \\ goes on in the next; Ctrl-C ends an answer):");
            foreach (string line in Commands.Split('\n'))
            {
                writer.WriteLine($"  {line.TrimEnd()}");
            }

            writer.WriteLine();
        });
        return command;
    }

    private static ChatTemplate FindTemplate(string folder, string? choice)
    {
        try
        {
            return ChatTemplate.Load(folder, choice, Tokenizers.Tokenizer.Load(folder));
        }
        catch (FileNotFoundException e) when (choice is null && !e.Message.Contains("--chatTemplate", StringComparison.Ordinal))
        {
            throw new FileNotFoundException($"{e.Message}; --chatTemplate chatml takes one that many models know", e);
        }
    }

    private static void Talk(ChatSession session)
    {
        CancellationTokenSource? answering = null;
        using var signal = PosixSignalRegistration.Create(PosixSignal.SIGINT, context =>
        {
            // While the model answers it ends the answer; otherwise the program, as usual.
            if (answering is { IsCancellationRequested: false } source)
            {
                context.Cancel = true;
                source.Cancel();
            }
        });
        if (!Console.IsInputRedirected)
        {
            Console.WriteLine("Ctrl-C ends an answer, /help shows the commands, /exit ends.");
        }

        while (ReadMessage() is { } message)
        {
            if (message.StartsWith('/'))
            {
                string[] words = message.Split(' ', 2, StringSplitOptions.TrimEntries);
                if (words[0] == "/exit")
                {
                    return;
                }

                if (Obey(session, words[0], words.ElementAtOrDefault(1) ?? "") is not { } again)
                {
                    continue;
                }

                message = again;
            }

            using (answering = new CancellationTokenSource())
            {
                Answer(session, message, answering.Token);
            }

            answering = null;
        }
    }

    /// <summary>The next message, empty ones left out; null at the end of the input.</summary>
    private static string? ReadMessage()
    {
        while (true)
        {
            var lines = new List<string>();
            do
            {
                if (!Console.IsInputRedirected)
                {
                    Console.Write(lines.Count == 0 ? "> " : "  ");
                }

                if (Console.In.ReadLine() is not { } line)
                {
                    return lines.Count > 0 ? string.Join('\n', lines) : null;
                }

                lines.Add(line);
            }
            while (lines[^1].EndsWith('\\') && (lines[^1] = lines[^1][..^1]) is not null);

            string message = string.Join('\n', lines).Trim();
            if (message.Length > 0)
            {
                return message;
            }
        }
    }

    /// <summary>Does what a command says; gives a message that is to be answered because of it.</summary>
    private static string? Obey(ChatSession session, string command, string argument)
    {
        switch (command)
        {
            case "/undo":
                Console.WriteLine(session.Undo() is { } undone ? $"(taken back: {undone})" : "(there is nothing to take back)");
                return null;
            case "/retry":
                if (session.Retry() is { } again)
                {
                    return again;
                }

                Console.WriteLine("(there is nothing to answer again)");
                return null;
            case "/reset":
                session.Reset();
                Console.WriteLine("(started anew)");
                return null;
            case "/system":
                session.System = argument;
                Console.WriteLine("(started anew)");
                return null;
            case "/save" when argument.Length > 0:
                Save(session, argument);
                return null;
            case "/help":
                Console.WriteLine(Commands);
                return null;
            default:
                Console.WriteLine(command == "/save" ? "(/save needs the name of a file)"
                    : $"(there is no command {command}; /help shows them)");
                return null;
        }
    }

    private static void Save(ChatSession session, string path)
    {
        try
        {
            session.Save(path);
            Console.WriteLine($"(saved to {path})");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Console.WriteLine($"({e.Message})");
        }
    }

    private static void Answer(ChatSession session, string message, CancellationToken cancellationToken)
    {
        try
        {
            var started = false;
            foreach (string piece in session.Answer(message, cancellationToken))
            {
                // Many templates leave it to the model to begin with a space.
                string text = started ? piece : piece.TrimStart();
                started |= text.Length > 0;
                Console.Write(text);
            }

            Console.WriteLine();
            if (session.Forgotten > 0)
            {
                Console.Error.WriteLine($"(the oldest {session.Forgotten} messages no longer fit into the model's context)");
            }
        }
        catch (OperationCanceledException)
        {
            Console.WriteLine(" …");
        }
        catch (Exception e) when (e is ArgumentException or TemplateException or InvalidDataException)
        {
            // The conversation goes on without the message.
            Console.WriteLine($"({e.Message})");
        }
    }
}
