using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using Ingot.Encoders;
using Ingot.Models;
using Ingot.Training;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot classify`: a trained classifier labels texts or their words.</summary>
internal static class ClassifyCommand
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static Command Create()
    {
        var model = new Option<string>("--model") { Description = ModelFolder.Description, Required = true, HelpName = "dir" };
        var text = new Option<string[]>("--text")
        {
            Description = "Texts to label.",
            HelpName = "text",
            AllowMultipleArgumentsPerToken = true,
        };
        var pair = new Option<string?>("--textPair") { Description = "The second text, for models of pairs.", HelpName = "text" };
        Option<string?> input = TextFile.InputOption();
        Option<int> batchSize = NumberOption.Create("batchSize", "Texts that go through the model side by side.", 16);
        Option<bool> truncation = TextFile.TruncationOption();
        Option<string?> adapter = AdapterOption.Create();
        Option<string> precision = PrecisionOption.Create();
        Option<string> device = DeviceOption.Create();
        var output = new Option<string?>("--output")
        {
            Description = "File for the labels, in place of standard output.",
            HelpName = "file",
        };
        var json = new Option<bool>("--json") { Description = "Write a JSON object for each text, one a line." };
        var command = new Command("classify", "Label texts, or their words, with a trained classifier.")
        {
            model, adapter, text, pair, input, batchSize, truncation, precision, device, output, json,
        };
        command.SetAction(result =>
        {
            int rows = BenchCommand.AtLeastOne(batchSize, result.GetValue(batchSize));
            IReadOnlyList<(string Text, string? Pair)> texts = Texts(
                result.GetValue(text) ?? [], result.GetValue(pair), result.GetValue(input));
            using TextClassifier classifier = TextClassifier.Load(ModelFolder.Find(result.GetRequiredValue(model)),
                DeviceOption.Find(result.GetRequiredValue(device)), PrecisionOption.Find(result.GetRequiredValue(precision)), rows,
                result.GetValue(truncation), AdapterOption.Find(result.GetValue(adapter)));
            using var interruption = new Interruption();
            bool asJson = result.GetValue(json);
            return TextFile.Write(result.GetValue(output), interruption, write =>
            {
                // A hundred batches at a time: memory does not grow with the file, and texts of one length still meet.
                foreach ((string Text, string? Pair)[] part in texts.Chunk(100 * rows))
                {
                    foreach (string line in Lines(classifier, part, asJson, interruption.Token))
                    {
                        write(line);
                    }
                }
            });
        });
        HelpPage.Describe(command, """
            ingot classify --model runs/reviews --text "A lovely film." "Dull."
            ingot classify --model runs/nli --text "It rains." --textPair "It is wet." --json
            ingot classify --model runs/names --input texts.jsonl --json --output labels.jsonl
            """);
        return command;
    }

    private static IEnumerable<string> Lines(
        TextClassifier classifier, IReadOnlyList<(string Text, string? Pair)> texts, bool json, CancellationToken cancellationToken)
    {
        if (classifier.Task == ModelTask.TokenClassification)
        {
            if (texts.Any(text => text.Pair is not null))
            {
                throw new TrainingOptionsException(["this model labels words, and words have no pair: leave --textPair (text_pair) out"]);
            }

            foreach (IReadOnlyList<LabelledSpan> words in classifier.ClassifyWords(texts.Select(text => text.Text), cancellationToken))
            {
                yield return json
                    ? JsonSerializer.Serialize(new { Words = words }, Json)
                    : string.Join(' ', words.Select(word => $"{word.Word}/{word.Label}"));
            }

            yield break;
        }

        foreach ((IReadOnlyList<LabelScore> labels, (string Text, string? Pair) text) in classifier.Classify(texts, cancellationToken)
            .Zip(texts))
        {
            yield return json
                ? JsonSerializer.Serialize(new { text.Text, labels[0].Label, labels[0].Score, Labels = labels }, Json)
                : string.Join("  ", labels.Take(5).Select(label => $"{label.Label} {label.Score:0.0000}"));
        }
    }

    private static IReadOnlyList<(string Text, string? Pair)> Texts(string[] given, string? pair, string? file)
    {
        if (file is not null)
        {
            return given.Length == 0 && pair is null ? TextFile.Read(file)
                : throw new TrainingOptionsException(["--input does not go with --text and --textPair: its lines hold both"]);
        }

        if (given.Length == 0)
        {
            throw new TrainingOptionsException(["there is nothing to label: give --text, or a file as --input"]);
        }

        return pair is null || given.Length == 1 ? [.. given.Select(text => (text, pair))]
            : throw new TrainingOptionsException(["--textPair belongs to one --text: give one, or pairs in a file as --input"]);
    }
}
