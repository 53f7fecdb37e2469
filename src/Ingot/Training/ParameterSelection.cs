using System.Globalization;
using System.Text.RegularExpressions;
using Ingot.Adapters;
using Ingot.Graphs;
using Ingot.Models;

namespace Ingot.Training;

/// <summary>
/// Which parameters of a model a run trains, and how: <see cref="TrainingOptions.Trainable"/>, <see cref="TrainingOptions.Freeze"/>,
/// <see cref="TrainingOptions.LearningRateFactors"/>, <see cref="TrainingOptions.LayerwiseLearningRateDecay"/> and
/// <see cref="TrainingOptions.NoWeightDecay"/>.
/// </summary>
public static partial class ParameterSelection
{
    /// <summary>The layout of a model's parameters as the options want them trained.</summary>
    /// <exception cref="TrainingOptionsException">A pattern matches no parameter, or nothing is left to train.</exception>
    public static ParameterLayout Layout(ModelConfig model, TrainingOptions options)
    {
        var parameters = model.DeclareParameters();
        var problems = new List<string>();
        var trainable = Patterns("trainable", options.Trainable);
        var freeze = Patterns("freeze", options.Freeze);
        var noDecay = Patterns("noWeightDecay", options.NoWeightDecay);
        var factors = options.LearningRateFactors.Select(f =>
            (Pattern: Patterns("learningRateFactors", [f.Key]), Factor: double.Parse(f.Value, CultureInfo.InvariantCulture))).ToList();
        if (problems.Count > 0)
            throw new TrainingOptionsException(problems);

        var depths = Depths(parameters);
        var most = depths.Values.DefaultIfEmpty(0).Max();
        var layout = new ParameterLayout(parameters, Settings);
        return layout.TrainedElements > 0 ? layout : throw new TrainingOptionsException(
            [$"{(options.Freeze.Count > 0 ? "freeze" : "trainable")} leaves nothing to train: all parameters are frozen"]);

        ParameterSettings? Settings(ParameterInfo p)
        {
            var trained = model is not AdaptedModel adapted || adapted.IsTrained(p.Name);
            if (!trained || (trainable.Count > 0 && !Any(trainable, p)) || Any(freeze, p))
                return null;
            var usual = ParameterSettings.Default(p);
            var factor = usual.LearningRateFactor * Math.Pow(options.LayerwiseLearningRateDecay, most - depths[p.Name]);
            foreach (var (pattern, times) in factors)
                factor *= Any(pattern, p) ? times : 1;
            return new ParameterSettings(factor, usual.Decays && !Any(noDecay, p));
        }

        List<NamePattern> Patterns(string key, IReadOnlyList<string> texts)
        {
            var patterns = texts.Select(NamePattern.Parse).ToList();
            foreach (var unmatched in patterns.Where(p => !parameters.Any(q => p.Matches(q.Name))))
                problems.Add($"{key}: {NoMatch(unmatched, parameters)}");
            return patterns;
        }
    }

    private static bool Any(IEnumerable<NamePattern> patterns, ParameterInfo parameter) => patterns.Any(p => p.Matches(parameter.Name));

    /// <summary>
    /// Distance from the input: 0 of what comes before the blocks, block i has i + 1, what comes behind them one more than the last
    /// (as in ELECTRA, Clark et al. 2020).
    /// </summary>
    private static Dictionary<string, int> Depths(IReadOnlyList<ParameterInfo> parameters)
    {
        var blocks = parameters.Select(p => BlockNumber().Match(p.Name) is { Success: true } m
            ? int.Parse(m.Groups[1].ValueSpan, CultureInfo.InvariantCulture) + 1 : 0).ToList();
        var last = blocks.Max();
        var begun = false;
        var depths = new Dictionary<string, int>();
        for (var i = 0; i < parameters.Count; i++)
        {
            begun |= blocks[i] > 0;
            depths[parameters[i].Name] = blocks[i] > 0 ? blocks[i] : begun ? last + 1 : 0;
        }

        return depths;
    }

    private static string NoMatch(NamePattern pattern, IReadOnlyList<ParameterInfo> parameters)
    {
        // Names, and what patterns are usually made of: pieces of one or two parts.
        var pieces = parameters.SelectMany(p =>
        {
            var parts = p.Name.Split('.');
            return parts.Concat(parts.Zip(parts.Skip(1), (a, b) => $"{a}.{b}")).Append(p.Name);
        }).Where(piece => !int.TryParse(piece, out _)).Distinct();
        return $"\"{pattern}\" matches no parameter"
            + (NearestName.Find(pattern.Text.Trim('*', '?', '.'), pieces) is { } near ? $": did you mean {near}?" : ".")
            + $" Names are such as {parameters[0].Name} and {parameters[parameters.Count / 2].Name}";
    }

    [GeneratedRegex(@"^[^\d]*\.(\d+)\.")]
    private static partial Regex BlockNumber();
}
