using System.CommandLine;
using Ingot.Evaluation;
using Ingot.Scoring;
using Ingot.Training;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot evaluate`: scores of texts against references, and of models on data.</summary>
internal static class EvaluateCommand
{
    private const string Name = "ingot evaluate";

    private static readonly (string FirstOption, string Title)[] Groups =
    [
        ("metric", "What is computed, and of what texts"),
        ("model", "What is computed of a model"),
        ("dataFormat", "Perplexity"),
        ("promptField", "What a model writes"),
        ("questionField", "Multiple choice"),
        ("confidence", "Chance"),
        ("tokenize", "BLEU"),
        ("chrfCharOrder", "chrF"),
        ("terNormalized", "TER"),
        ("useStemmer", "ROUGE, METEOR, F1"),
        ("decimals", "What is printed"),
    ];

    public static Command Create()
    {
        var recipe = new Argument<string[]>("recipe")
        {
            Description = "JSON files of the options below; each is an evaluation of its own.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var json = new Option<bool>("--json") { Description = "Print the scores as JSON." };
        var command = new Command("evaluate", "Score texts against references, or a model on data.") { recipe, json };
        IReadOnlyList<OptionKey> keys = OptionKey.Of<EvaluationOptions>();
        var options = new RecipeOptions(command, keys, "");
        command.SetAction(result =>
        {
            string?[] paths = [.. result.GetValue(recipe) ?? []];
            paths = paths.Length > 0 ? paths : [null];
            // What is wrong in any of them comes out before the first begins.
            (string?, EvaluationOptions)[] evaluations = [.. paths.Select(path => (path,
                Recipe.Load<EvaluationOptions>(path, options.Read(result), read => read.Validate(), Name)))];
            return Run(evaluations, result.GetValue(json));
        });
        HelpPage.Describe(command, """
            ingot evaluate --metric bleu chrf++ --hypotheses output.de --references reference.de
            ingot evaluate --metric bleu --tokenize zh --hypotheses output.zh --references a.zh b.zh --confidence
            ingot evaluate --metric bleu --hypotheses old.de --references reference.de --compare new.de     is new.de better?
            ingot evaluate --metric bleu --hypotheses texts.jsonl --references data.jsonl --referenceField completion --json
            ingot evaluate --metric perplexity --model runs/jargon --data held-out.txt --stride 256
            ingot evaluate --metric perplexity --model runs/dialogue --data chats.jsonl       of the answers
            ingot evaluate --metric perplexity --model runs/en-de --data pairs.tsv            of targets, given their sources
            ingot evaluate --metric multiple-choice --model runs/jargon --data arc.jsonl --output answers.jsonl
            ingot evaluate --metric rouge --model runs/news --data news.jsonl --promptField document --referenceField summary --output out.jsonl
            ingot evaluate tasks/arc.json tasks/news.json --model runs/news
            """, output => RecipeOptions.WriteHelp<EvaluationOptions>(output, keys, Groups));
        return command;
    }

    private static int Run((string? Recipe, EvaluationOptions Options)[] evaluations, bool json)
    {
        using var interruption = new Interruption();
        try
        {
            var all = new List<EvaluationResult>();
            foreach ((string? recipe, EvaluationOptions options) in evaluations)
            {
                IReadOnlyList<EvaluationResult> results = Evaluate(options, interruption.Token);
                all.AddRange(results);
                if (json)
                {
                    continue;
                }

                if (evaluations.Length > 1)
                {
                    Console.WriteLine($"{recipe}:");
                }

                ScoreWriter.Write(Console.Out, results, options.Decimals);
            }

            if (json)
            {
                Text.WriteJson(writer => ScoreJson.Write(writer, all));
            }

            return ExitCodes.Success;
        }
        catch (OperationCanceledException) when (interruption.Token.IsCancellationRequested)
        {
            return interruption.ExitCode;
        }
    }

    private static IReadOnlyList<EvaluationResult> Evaluate(EvaluationOptions options, CancellationToken cancellationToken)
    {
        string unit = options.Kind switch
        {
            EvaluationKind.Texts => "segments",
            EvaluationKind.MultipleChoice => "questions",
            EvaluationKind.Generation => "texts",
            _ => "bytes or examples",
        };
        using var progress = new LineProgress((done, total) => $"{done:#,0} of {total:#,0} {unit}");
        return options.Kind switch
        {
            EvaluationKind.Texts => EvaluationRun.Run(options, progress.Report, cancellationToken),
            EvaluationKind.Generation => GenerationEvaluation.Run(options, Warn, progress.Report, cancellationToken),
            _ => ModelEvaluation.Run(options, Warn, progress.Report, cancellationToken),
        };

        static void Warn(string warning) => Console.Error.WriteLine($"warning: {warning}");
    }
}
