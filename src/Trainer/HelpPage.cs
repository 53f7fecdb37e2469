using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;

namespace Ingot.Trainer;

/// <summary>Help of a command: what the parser knows, then what only the command knows, then examples.</summary>
internal static class HelpPage
{
    private static readonly Dictionary<Command, (string Examples, Action<TextWriter>? Details)> Additions = [];

    /// <summary>Says what the help of a command shows at its end.</summary>
    /// <param name="command">The command.</param>
    /// <param name="examples">Command lines that work, one a line, each with what it does.</param>
    /// <param name="details">Writes more, ahead of the examples.</param>
    public static void Describe(Command command, string examples, Action<TextWriter>? details = null) =>
        Additions[command] = (examples, details);

    /// <summary>Puts these additions into the help of a root command and all below it.</summary>
    public static void AddTo(RootCommand root)
    {
        HelpOption help = root.Options.OfType<HelpOption>().Single();
        help.Action = new Action((HelpAction)help.Action!);
    }

    /// <summary>A command as it is typed, with the commands above it.</summary>
    public static string NameOf(CommandResult? command) =>
        command is null ? ""
            : $"{NameOf(command.Parent as CommandResult)} {(command.Parent is null ? "ingot" : command.Command.Name)}".Trim();

    private sealed class Action(HelpAction standard) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            int code = standard.Invoke(parseResult);
            if (Additions.TryGetValue(parseResult.CommandResult.Command, out (string Examples, Action<TextWriter>? Details) addition))
            {
                TextWriter output = parseResult.InvocationConfiguration.Output;
                addition.Details?.Invoke(output);
                output.WriteLine("Examples:");
                foreach (string line in addition.Examples.Split('\n'))
                {
                    output.WriteLine($"  {line.TrimEnd()}");
                }
            }

            return code;
        }
    }
}
