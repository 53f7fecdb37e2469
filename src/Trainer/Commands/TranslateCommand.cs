using System.CommandLine;
using Ingot.Generation;
using Ingot.Training;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot translate`: an encoder-decoder translates texts.</summary>
internal static class TranslateCommand
{
    private const string Auto = "auto";

    public static Command Create()
    {
        var from = new Option<string?>("--from")
        {
            Description = "Code of the texts' language, for models of several languages; auto: told by each text.",
            HelpName = "code",
        };
        var to = new Option<string?>("--to") { Description = "Code of the language to translate into, for the same.", HelpName = "code" };
        var command = new Command("translate", "Translate texts with an encoder-decoder.");
        var options = new SourceOptions(command, new GenerationOptions { NumBeams = 4 }, from, to);
        command.SetAction(result => options.Run(result,
            (settings, known) => InLanguages(settings, known, result.GetValue(from), result.GetValue(to)), result.GetValue(from) == Auto));
        HelpPage.Describe(command, """
            ingot translate --model runs/en-de "The sea is deep."
            ingot translate --model models/m2m100_418M --from en --to de --input english.txt --output german.txt
            ingot translate --model models/m2m100_418M --from auto --to zh --input texts.jsonl --field title --json
            ingot translate --model runs/en-de --input english.txt.gz --output german.txt --numBeams 1 --batchSize 64
            """);
        return command;
    }

    private static GenerationOptions InLanguages(GenerationOptions settings, IReadOnlyList<string> known, string? from, string? to)
    {
        if (known.Count == 0)
        {
            return from is null && to is null ? settings : throw new TrainingOptionsException(
                ["--from and --to are for models of several languages; this one has no tokens of languages, "
                    + "and knows one direction: leave them out"]);
        }

        IEnumerable<string> problems = [.. Problem("--from", from, [Auto, .. known]), .. Problem("--to", to, known)];
        return problems.Any() ? throw new TrainingOptionsException([.. problems])
            : settings with { SourceLanguage = from == Auto ? null : from, TargetLanguage = to };
    }

    /// <summary>What is wrong with the code of a language; nothing if all is well.</summary>
    public static IEnumerable<string> Problem(string option, string? code, IReadOnlyList<string> known)
    {
        if (code is null)
        {
            yield return $"{option} is not given, and the model knows several languages: {string.Join(", ", known)}";
        }
        else if (!known.Contains(code))
        {
            yield return $"{option} {code}: that is none of the model's languages, which are {string.Join(", ", known)}";
        }
    }
}
