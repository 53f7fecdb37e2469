using System.CommandLine;
using System.Globalization;
using Ingot.Explain;
using Ingot.Training;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot explain`: what happens inside a model that reads a text, as a page.</summary>
internal static class ExplainCommand
{
    public static Command Create()
    {
        var model = new Option<string>("--model") { Description = ModelFolder.Description, Required = true, HelpName = "dir" };
        Option<string?> adapter = AdapterOption.Create();
        var text = new Option<string?>("--text")
        {
            Description = "The text, for an encoder-decoder the source; without it and --textFile, what comes on standard input.",
            HelpName = "text",
        };
        var textFile = new Option<string?>("--textFile") { Description = "A file that holds the text, UTF-8.", HelpName = "file" };
        var pair = new Option<string?>("--textPair") { Description = "The second text, for encoders of pairs.", HelpName = "text" };
        var target = new Option<string?>("--target")
        {
            Description = "What to explain in place of the model's own choice: how the text goes on, what an encoder-decoder writes, the "
                + "token behind a mask, or a label.",
            HelpName = "text",
        };
        var token = new Option<int[]>("--token")
        {
            Description = "Numbers of the tokens whose predictions are attributed, from 0 as on the page; the one behind the last is what "
                + "comes next. Default: that one, or all of the target; what an encoder-decoder wrote; what is masked.",
            HelpName = "number",
            AllowMultipleArgumentsPerToken = true,
        };
        var layers = new Option<int[]>("--layers")
        {
            Description = "Layers whose attention is shown, from 0. Default: all.",
            HelpName = "number",
            AllowMultipleArgumentsPerToken = true,
        };
        var method = new Option<string>("--method")
        {
            Description = "How predictions are attributed to tokens.",
            DefaultValueFactory = _ => "gradient-times-input",
        };
        method.AcceptOnlyFromAmong("gradient-times-input", "integrated-gradients");
        Option<int> steps = NumberOption.Create("steps", "Steps of integrated gradients.", new ExplainOptions().Steps);
        var from = new Option<string?>("--sourceLanguage")
        {
            Description = "Language of the source, for models of several languages.",
            HelpName = "code",
        };
        var to = new Option<string?>("--targetLanguage")
        {
            Description = "Language that is written, for models of several languages.",
            HelpName = "code",
        };
        Option<string> precision = PrecisionOption.Create();
        Option<string> device = DeviceOption.Create();
        var output = new Option<string>("--output")
        {
            Description = "The page.",
            HelpName = "file",
            DefaultValueFactory = _ => "explain.html",
        };
        var json = new Option<string?>("--json") { Description = "A file for the same as JSON.", HelpName = "file" };
        var command = new Command("explain", "Look inside a model: attention, logit lens and attribution of a text, on one page.")
        {
            model, adapter, text, textFile, pair, target, token, layers, method, steps, from, to, precision, device, output, json,
        };
        command.SetAction(result =>
        {
            string given = Text(result.GetValue(text), result.GetValue(textFile));
            var options = new ExplainOptions
            {
                Target = result.GetValue(target),
                TextPair = result.GetValue(pair),
                Tokens = result.GetValue(token) is { Length: > 0 } numbers ? numbers : null,
                Layers = result.GetValue(layers) is { Length: > 0 } some ? some : null,
                Method = result.GetRequiredValue(method) == "integrated-gradients"
                    ? AttributionMethod.IntegratedGradients : AttributionMethod.GradientTimesInput,
                Steps = BenchCommand.AtLeastOne(steps, result.GetValue(steps)),
                SourceLanguage = result.GetValue(from),
                TargetLanguage = result.GetValue(to),
            };
            using ModelExplainer explainer = ModelExplainer.Load(ModelFolder.Find(result.GetRequiredValue(model)),
                DeviceOption.Find(result.GetRequiredValue(device)), PrecisionOption.Find(result.GetRequiredValue(precision)),
                AdapterOption.Find(result.GetValue(adapter)));
            using var interruption = new Interruption();
            try
            {
                var begun = DateTime.UtcNow;
                Explanation explanation = explainer.Explain(given, options, Progress, interruption.Token);
                string page = result.GetRequiredValue(output);
                ExplanationPage.Write(page, explanation);
                if (result.GetValue(json) is { } data)
                {
                    ExplanationJson.Write(data, explanation);
                }

                Write(explanation);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{page}: {new FileInfo(page).Length / 1e3:N0} kB, "
                    + $"{explanation.Attention.Count} attention maps, in {(DateTime.UtcNow - begun).TotalSeconds:0.0} s"));
                return ExitCodes.Success;
            }
            catch (OperationCanceledException)
            {
                return interruption.ExitCode;
            }
        });
        HelpPage.Describe(command, """
            ingot explain --model runs/jargon --text "A hacker is" --output hacker.html
            ingot explain --model runs/jargon --text "A hacker is" --target " a person" --method integrated-gradients
            ingot explain --model models/bert --text "The capital of France is [MASK]."
            ingot explain --model models/opus-mt-en-fr --text "The sea is deep." --json sea.json
            ingot explain --model runs/large --textFile letter.txt --layers 0 11 23
            """);
        return command;
    }

    private static string Text(string? text, string? file)
    {
        if (file is not null)
        {
            return text is null ? File.ReadAllText(file).TrimEnd('\r', '\n')
                : throw new TrainingOptionsException(["--text and --textFile cannot both be given"]);
        }

        return text ?? (Console.IsInputRedirected ? Console.In.ReadToEnd().TrimEnd('\r', '\n')
            : throw new TrainingOptionsException(["there is nothing to explain: give --text or --textFile, or the text on standard "
                + "input"]));
    }

    private static void Progress(string part, int done, int all) =>
        Console.Error.WriteLine(all > 1 ? $"{part} {done + 1} of {all} ..." : $"{part} ...");

    // The attributed predictions in a line each: what is predicted, and the tokens that spoke most for it.
    private static void Write(Explanation explanation)
    {
        foreach (ExplainedPrediction prediction in explanation.Predictions.Take(10))
        {
            IEnumerable<(string Text, double Value)> tokens = explanation.Tokens.Zip(prediction.Values.Tokens)
                .Concat((explanation.Source ?? []).Zip(prediction.Values.Source ?? [])).Select(pair => (pair.First.Text, pair.Second))
                .OrderByDescending(pair => Math.Abs(pair.Second)).Take(4);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{prediction.Token} {Quoted(prediction.Text)} {Math.Exp(prediction.Values.LogProbability):0.0000}: ")
                + string.Join("  ", tokens.Select(pair =>
                    string.Create(CultureInfo.InvariantCulture, $"{Quoted(pair.Text)} {pair.Value:+0.000;-0.000}"))));
        }

        if (explanation.Note is { } note)
        {
            Console.WriteLine(note);
        }
    }

    private static string Quoted(string text) => "\"" + text.ReplaceLineEndings("\\n") + "\"";
}
