using System.CommandLine;
using Ingot.Generation;
using Ingot.Training;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot summarize`: an encoder-decoder writes summaries of texts.</summary>
internal static class SummarizeCommand
{
    public static Command Create()
    {
        var language = new Option<string?>("--language")
        {
            Description = "Code of the language of texts and summaries, for models of several languages.",
            HelpName = "code",
        };
        var command = new Command("summarize", "Write summaries of texts with an encoder-decoder.");
        var options = new SourceOptions(command, new GenerationOptions { NumBeams = 4, NoRepeatNgramSize = 3 }, language);
        command.SetAction(result => options.Run(result, (settings, known) => InLanguage(settings, known, result.GetValue(language))));
        HelpPage.Describe(command, """
            ingot summarize --model runs/packages "A long text …"
            ingot summarize --model runs/packages --input descriptions.jsonl --output synopses.txt --truncation
            ingot summarize --model models/t5-small --prefix "summarize: " --input articles.txt --minNewTokens 20 --maxNewTokens 80
            """);
        return command;
    }

    private static GenerationOptions InLanguage(GenerationOptions settings, IReadOnlyList<string> known, string? language)
    {
        if (known.Count == 0)
        {
            return language is null ? settings : throw new TrainingOptionsException(
                ["--language is for models of several languages; this one has no tokens of languages: leave it out"]);
        }

        string[] problems = [.. TranslateCommand.Problem("--language", language, known)];
        return problems.Length > 0 ? throw new TrainingOptionsException(problems)
            : settings with { SourceLanguage = language, TargetLanguage = language };
    }
}
